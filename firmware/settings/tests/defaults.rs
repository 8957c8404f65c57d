//! The defaults of every chip's settings are right, but for the Wi-Fi network's name, which has none.

use std::collections::HashMap;

use esp_config::{Value, generate_config_from_yaml_definition};
use esp_metadata_generated::Chip as Metadata;
use tenure_board_settings::{Chip, Ipv4, NameError, host_name, limits, pins, rmii_pins, wifi_name, wifi_password};

const DEFINITION: &str = include_str!("../../board/esp_config.yml");
const CHIPS: [Metadata; 4] = [Metadata::Esp32, Metadata::Esp32s2, Metadata::Esp32s3, Metadata::Esp32c3];

fn defaults(chip: Metadata) -> HashMap<String, Value> {
    generate_config_from_yaml_definition(DEFINITION, false, false, Some(chip)).expect("a definition")
}

fn value<'a>(settings: &'a HashMap<String, Value>, name: &str) -> &'a Value {
    &settings[&format!("TENURE_BOARD_CONFIG_{name}")]
}

#[test]
fn every_chip_has_its_pins_to_give() {
    for metadata in CHIPS {
        let settings = defaults(metadata);
        let chip = Chip::named(metadata.name()).expect("a chip of ours");
        let numbers = ["SCLK", "MOSI", "MISO", "CS", "INT", "RST"].map(|signal| {
            let number = value(&settings, &format!("W5500_{signal}_PIN")).as_integer();
            u8::try_from(number).expect("a pin's number")
        });
        assert_eq!(pins(chip, &numbers), Ok(()), "{chip:?}");
    }
}

#[test]
fn the_rmii_has_its_pins() {
    let settings = defaults(Metadata::Esp32);
    let number = |name| u8::try_from(value(&settings, name).as_integer());
    let (mdc, mdio) = (number("RMII_MDC_PIN").expect("a pin"), number("RMII_MDIO_PIN").expect("a pin"));
    assert_eq!(
        rmii_pins(&value(&settings, "RMII_CLOCK").as_string(), mdc, mdio, number("RMII_POWER_PIN").ok()),
        Ok(())
    );
}

#[test]
fn only_the_name_of_the_network_is_missing() {
    for metadata in CHIPS {
        let settings = defaults(metadata);
        let text = |name| value(&settings, name).as_string();
        assert_eq!(wifi_name(&text("WIFI_NAME")), Err(NameError::NoWifiName));
        assert_eq!(wifi_password(&text("WIFI_PASSWORD")), Ok(()));
        let number = |name| u32::try_from(value(&settings, name).as_integer()).expect("bytes");
        assert_eq!(limits(number("HEAD_BYTES_MAX"), number("TARGET_BYTES_MAX")), Ok(()));
        assert_eq!(host_name(&text("HOST_NAME")), Ok(()));
        assert_eq!(Ipv4::parse(&text("IPV4"), &text("GATEWAY")), Ok(Ipv4::Dhcp));
    }
}

#[test]
fn every_chip_has_as_large_a_heap() {
    for metadata in CHIPS {
        let settings = defaults(metadata);
        let bytes = ["RECLAIMED_HEAP_BYTES", "HEAP_BYTES"].map(|name| value(&settings, name).as_integer());
        assert!(bytes.iter().sum::<i128>() >= 100 * 1024, "{}: {bytes:?}", metadata.name());
    }
}
