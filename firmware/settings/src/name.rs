//! Names and passwords: IEEE 802.11 for Wi-Fi, RFC 952 and RFC 1123 section 2.1 for the host.

use core::fmt;

/// Why a name or a password cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// The name of the Wi-Fi network is missing.
    NoWifiName,
    /// It is longer than 32 bytes.
    WifiNameTooLong,
    /// The password has neither no bytes nor 8 to 63.
    WifiPasswordLength,
    /// The host's name is no label of a domain name of 1 to 32 characters.
    HostName,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NameError::NoWifiName => {
                "the name of the Wi-Fi network is missing: set TENURE_BOARD_CONFIG_WIFI_NAME (and \
                 TENURE_BOARD_CONFIG_WIFI_PASSWORD), in the environment, under [env] in .cargo/local.toml, or with \
                 `esp-config`; for Ethernet build with `cargo esp32c3-ethernet`, or that of your chip"
            }
            NameError::WifiNameTooLong => {
                "TENURE_BOARD_CONFIG_WIFI_NAME is too long: the name of a Wi-Fi network has 32 bytes at the most"
            }
            NameError::WifiPasswordLength => {
                "TENURE_BOARD_CONFIG_WIFI_PASSWORD has a wrong length: write 8 to 63 bytes, or nothing for an open network"
            }
            NameError::HostName => {
                "TENURE_BOARD_CONFIG_HOST_NAME is no host name: write 1 to 32 letters, digits and hyphens, no hyphen first \
                 or last"
            }
        })
    }
}

impl core::error::Error for NameError {}

/// Looks at the name of a Wi-Fi network.
///
/// # Errors
/// When it is missing or has more than 32 bytes (IEEE 802.11 section 9.4.2.2).
pub fn wifi_name(name: &str) -> Result<(), NameError> {
    match name.len() {
        0 => Err(NameError::NoWifiName),
        1..=32 => Ok(()),
        _ => Err(NameError::WifiNameTooLong),
    }
}

/// Looks at the password of a Wi-Fi network; an open one has none.
///
/// # Errors
/// When it has 1 to 7 or more than 63 bytes (IEEE 802.11 annex J.4.1).
pub fn wifi_password(password: &str) -> Result<(), NameError> {
    match password.len() {
        0 | 8..=63 => Ok(()),
        _ => Err(NameError::WifiPasswordLength),
    }
}

/// Looks at the name that the host tells a DHCP server.
///
/// # Errors
/// When it is no label of a domain name, or longer than the 32 bytes that the stack has for it.
pub fn host_name(name: &str) -> Result<(), NameError> {
    let is_label = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if (1..=32).contains(&name.len()) && is_label && !name.starts_with('-') && !name.ends_with('-') {
        Ok(())
    } else {
        Err(NameError::HostName)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::{NameError, host_name, wifi_name, wifi_password};

    #[test]
    fn a_wifi_name_has_1_to_32_bytes() {
        for (bytes, expected) in
            [(0, Err(NameError::NoWifiName)), (1, Ok(())), (32, Ok(())), (33, Err(NameError::WifiNameTooLong))]
        {
            assert_eq!(wifi_name(&"n".repeat(bytes)), expected, "{bytes}");
        }
    }

    #[test]
    fn a_missing_wifi_name_says_what_to_set() {
        let text = NameError::NoWifiName.to_string();
        for part in
            ["TENURE_BOARD_CONFIG_WIFI_NAME", "TENURE_BOARD_CONFIG_WIFI_PASSWORD", ".cargo/local.toml", "esp-config"]
        {
            assert!(text.contains(part), "{part} in {text:?}");
        }
    }

    #[test]
    fn a_wifi_password_is_missing_or_has_8_to_63_bytes() {
        for (bytes, is_right) in [(0, true), (1, false), (7, false), (8, true), (63, true), (64, false)] {
            assert_eq!(wifi_password(&"p".repeat(bytes)).is_ok(), is_right, "{bytes}");
        }
    }

    #[test]
    fn a_host_name_is_a_label() {
        let (longest, longer) = ("h".repeat(32), "h".repeat(33));
        for name in ["a", "tenure", "board-7", "7", &longest] {
            assert_eq!(host_name(name), Ok(()), "{name:?}");
        }
        for name in ["", "-a", "a-", "a.b", "a b", "a_b", "ä", &longer] {
            assert_eq!(host_name(name), Err(NameError::HostName), "{name:?}");
        }
    }
}
