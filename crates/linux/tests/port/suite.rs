pub(crate) use tenure_linux as port;
