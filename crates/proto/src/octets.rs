//! Which octets may stand where: RFC 9110 section 5.6, RFC 3986 section 3.
