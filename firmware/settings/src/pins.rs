//! Which pins a chip has to give: its data sheet's, less those of its flash, of its log and of its strapping that can keep it
//! from starting.

use core::fmt;

/// A chip that the image is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chip {
    /// ESP32.
    Esp32,
    /// ESP32-S2.
    Esp32S2,
    /// ESP32-S3.
    Esp32S3,
    /// ESP32-C3.
    Esp32C3,
}

impl Chip {
    /// The chip of that name, as cargo's features have it.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "esp32" => Chip::Esp32,
            "esp32s2" => Chip::Esp32S2,
            "esp32s3" => Chip::Esp32S3,
            "esp32c3" => Chip::Esp32C3,
            _ => return None,
        })
    }

    /// The pins that an Ethernet controller can be wired to, each way: a bit for each.
    fn free(self) -> u64 {
        match self {
            // Not: 1 and 3 (log), 6 to 11 (flash), 12 (the flash's voltage), 34 to 39 (inputs only); 20, 24, 28 to 31 (none).
            Chip::Esp32 => {
                bits(0, 0) | bits(2, 2) | bits(4, 5) | bits(13, 19) | bits(21, 23) | bits(25, 27) | bits(32, 33)
            }
            // Not: 19 and 20 (USB), 26 to 32 (flash), 43 and 44 (log), 45 (the flash's voltage), 46 (input only).
            Chip::Esp32S2 => bits(0, 18) | bits(21, 21) | bits(33, 42),
            // Not: 19 and 20 (USB, log), 26 to 32 (flash), 43 and 44 (log), 45 (the flash's voltage), 46 (strapping).
            Chip::Esp32S3 => bits(0, 18) | bits(21, 21) | bits(33, 42) | bits(47, 48),
            // Not: 11 to 17 (flash), 18 and 19 (USB, log), 20 and 21 (log).
            Chip::Esp32C3 => bits(0, 10),
        }
    }
}

/// The bits from `first` to `last`.
const fn bits(first: u32, last: u32) -> u64 {
    (u64::MAX << first) & (u64::MAX >> (63 - last))
}

/// Why pins cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinError {
    /// The chip has no such pin to give.
    NotFree(u8),
    /// Two signals on one pin.
    Twice(u8),
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PinError::NotFree(pin) => write!(
                f,
                "GPIO{pin} cannot be one of TENURE_BOARD_CONFIG_*_PIN: the chip does not have it, or needs it for its flash, its \
                 start, its USB or its log; write another"
            ),
            PinError::Twice(pin) => {
                write!(
                    f,
                    "GPIO{pin} is used twice: write a pin of its own into each TENURE_BOARD_CONFIG_*_PIN (the RMII has GPIO19, 21, \
                     22, 25, 26, 27, and its clock's)"
                )
            }
        }
    }
}

impl core::error::Error for PinError {}

/// Looks at the pins that signals are wired to.
///
/// # Errors
/// When the chip cannot give one of them, or two are the same.
pub fn pins(chip: Chip, pins: &[u8]) -> Result<(), PinError> {
    let mut taken = 0;
    for &pin in pins {
        let bit = 1_u64.checked_shl(u32::from(pin)).unwrap_or(0);
        if chip.free() & bit == 0 {
            return Err(PinError::NotFree(pin));
        }
        if taken & bit != 0 {
            return Err(PinError::Twice(pin));
        }
        taken |= bit;
    }
    Ok(())
}

/// The pins of the ESP32's RMII that cannot be chosen, without its clock's: the ESP32 data sheet's table of `IO_MUX`, function 5.
const RMII: [u8; 6] = [19, 21, 22, 25, 26, 27];
/// It has the flash's voltage to tell while the chip starts; a board that switches its PHY by it sees to that.
const FLASH_VOLTAGE: u8 = 12;

/// Looks at the pins of the ESP32's RMII that can be chosen: the clock's (`gpio0_in`, `gpio16_out` or `gpio17_out`), the PHY's
/// MDC and MDIO, and what switches its power, where something does.
///
/// # Errors
/// When the chip cannot give one of them, or the RMII has it for another signal.
pub fn rmii_pins(clock: &str, mdc: u8, mdio: u8, power: Option<u8>) -> Result<(), PinError> {
    let clock = match clock {
        "gpio16_out" => 16,
        "gpio17_out" => 17,
        _ => 0,
    };
    let mut all = [0; RMII.len() + 4];
    all[..RMII.len()].copy_from_slice(&RMII);
    all[RMII.len()..][..3].copy_from_slice(&[clock, mdc, mdio]);
    let power = power.filter(|&pin| pin != FLASH_VOLTAGE);
    all[RMII.len() + 3] = power.unwrap_or_default();
    let count = all.len() - usize::from(power.is_none());
    pins(Chip::Esp32, &all[..count])
}

#[cfg(test)]
mod tests {
    use super::{Chip, PinError, pins, rmii_pins};

    #[test]
    fn pins_of_the_rmii() {
        use PinError::{NotFree, Twice};
        for (clock, mdc, mdio, power, expected) in [
            ("gpio0_in", 23, 18, None, Ok(())),
            ("gpio0_in", 23, 18, Some(16), Ok(())),
            ("gpio17_out", 23, 18, Some(12), Ok(())),
            ("gpio16_out", 23, 18, Some(16), Err(Twice(16))),
            ("gpio17_out", 17, 18, None, Err(Twice(17))),
            ("gpio0_in", 17, 18, None, Ok(())),
            ("gpio0_in", 0, 18, None, Err(Twice(0))),
            ("gpio16_out", 0, 18, None, Ok(())),
            ("gpio0_in", 23, 23, None, Err(Twice(23))),
            ("gpio0_in", 19, 18, None, Err(Twice(19))),
            ("gpio0_in", 23, 27, None, Err(Twice(27))),
            ("gpio0_in", 23, 12, None, Err(NotFree(12))),
            ("gpio0_in", 34, 18, None, Err(NotFree(34))),
            ("gpio0_in", 23, 18, Some(34), Err(NotFree(34))),
            ("gpio0_in", 23, 18, Some(33), Ok(())),
            ("gpio0_in", 23, 18, Some(22), Err(Twice(22))),
        ] {
            assert_eq!(rmii_pins(clock, mdc, mdio, power), expected, "{clock} {mdc} {mdio} {power:?}");
        }
    }

    #[test]
    fn pins_at_and_beside_the_edges_of_what_a_chip_gives() {
        for (chip, free, not_free) in [
            (Chip::Esp32, &[0, 5, 13, 19, 21, 33][..], &[1, 3, 6, 11, 12, 20, 24, 28, 34, 39, 64, 255][..]),
            (Chip::Esp32S2, &[0, 18, 21, 33, 42], &[19, 20, 22, 26, 32, 43, 44, 45, 46]),
            (Chip::Esp32S3, &[0, 18, 21, 33, 42, 47, 48], &[19, 20, 22, 26, 32, 43, 46, 49]),
            (Chip::Esp32C3, &[0, 10], &[11, 17, 18, 21, 22, 63, 64]),
        ] {
            assert_eq!(pins(chip, free), Ok(()), "{chip:?}");
            for &pin in not_free {
                assert_eq!(pins(chip, &[pin]), Err(PinError::NotFree(pin)), "{chip:?}");
            }
        }
    }

    #[test]
    fn a_pin_has_one_signal() {
        assert_eq!(pins(Chip::Esp32C3, &[1, 2, 3]), Ok(()));
        assert_eq!(pins(Chip::Esp32C3, &[1, 2, 1]), Err(PinError::Twice(1)));
    }

    #[test]
    fn chips_have_the_names_of_their_features() {
        for (name, chip) in [
            ("esp32", Some(Chip::Esp32)),
            ("esp32s2", Some(Chip::Esp32S2)),
            ("esp32s3", Some(Chip::Esp32S3)),
            ("esp32c3", Some(Chip::Esp32C3)),
            ("esp32c6", None),
        ] {
            assert_eq!(Chip::named(name), chip, "{name}");
        }
    }
}
