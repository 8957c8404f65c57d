//! Reads the settings (`esp_config.yml`), refuses wrong ones with what to write instead, and tells the linker where code and
//! data are.

use std::{collections::HashMap, env, error::Error, fs, path::Path};

use esp_config::{Value, generate_config_from_yaml_definition};
use esp_metadata_generated::Chip as Metadata;
use tenure_board_settings::{Chip, Ipv4, NameError, host_name, limits, pins, rmii_pins, wifi_name, wifi_password};

const SETTINGS: &str = "esp_config.yml";
const PINS: [&str; 6] = ["SCLK", "MOSI", "MISO", "CS", "INT", "RST"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={SETTINGS}");
    if let Err(error) = configure() {
        println!("cargo::error={error}");
    }
    println!("cargo::rustc-link-arg=-Tlinkall.x");
}

fn configure() -> Result<(), Box<dyn Error>> {
    // Without a chip, or with two, dependencies do not build either and say so.
    let metadata = Metadata::from_cargo_feature()?;
    let settings =
        Settings(generate_config_from_yaml_definition(&fs::read_to_string(SETTINGS)?, false, false, Some(metadata))?);
    match (has_feature("WIFI"), has_feature("ETHERNET"), has_feature("RMII")) {
        (true, false, false) => {
            match wifi_name(&settings.text("WIFI_NAME")) {
                // An editor needs none. What is to be flashed is a release.
                Err(missing @ NameError::NoWifiName) if env::var("PROFILE").as_deref() != Ok("release") => {
                    println!("cargo::warning={missing}");
                }
                known => known?,
            }
            wifi_password(&settings.text("WIFI_PASSWORD"))?;
        }
        (false, true, false) => {
            let chip = Chip::named(metadata.name()).ok_or("this image is not made for that chip")?;
            let numbers = PINS.map(|signal| settings.number(&format!("W5500_{signal}_PIN")));
            pins(chip, &numbers.map(|number| u8::try_from(number).unwrap_or(u8::MAX)))?;
        }
        (false, false, true) => {
            if Chip::named(metadata.name()) != Some(Chip::Esp32) {
                return Err("only the ESP32 has a MAC of its own: for this chip say ethernet instead of rmii".into());
            }
            let pin = |name| u8::try_from(settings.number(name)).unwrap_or(u8::MAX);
            let power = settings.number("RMII_POWER_PIN");
            let power = (power >= 0).then(|| u8::try_from(power).unwrap_or(u8::MAX));
            rmii_pins(&settings.text("RMII_CLOCK"), pin("RMII_MDC_PIN"), pin("RMII_MDIO_PIN"), power)?;
        }
        _ => {
            return Err("say one network: the feature wifi, ethernet or rmii (`cargo esp32c3-ethernet`, or \
                        `--no-default-features --features esp32c3,ethernet,ipv6`)"
                .into());
        }
    }
    let bytes = |name| u32::try_from(settings.number(name)).unwrap_or(u32::MAX);
    limits(bytes("HEAD_BYTES_MAX"), bytes("TARGET_BYTES_MAX"))?;
    host_name(&settings.text("HOST_NAME"))?;
    let ipv4 = Ipv4::parse(&settings.text("IPV4"), &settings.text("GATEWAY"))?;
    let directory = env::var("OUT_DIR")?;
    fs::write(Path::new(&directory).join("ipv4.rs"), source(ipv4))?;
    Ok(())
}

fn has_feature(name: &str) -> bool {
    env::var_os(format!("CARGO_FEATURE_{name}")).is_some()
}

/// The expression that makes this value.
fn source(ipv4: Ipv4) -> String {
    match ipv4 {
        Ipv4::Dhcp => "Ipv4::Dhcp".to_owned(),
        Ipv4::Static { address, prefix, gateway } => {
            let address = format!("Ipv4Addr::from_bits({})", address.to_bits());
            let gateway = gateway
                .map_or("None".to_owned(), |gateway| format!("Some(Ipv4Addr::from_bits({}))", gateway.to_bits()));
            format!("Ipv4::Static {{ address: {address}, prefix: {prefix}, gateway: {gateway} }}")
        }
    }
}

/// The settings by the names of their environment variables.
struct Settings(HashMap<String, Value>);

impl Settings {
    fn value(&self, name: &str) -> &Value {
        self.0.get(&format!("TENURE_BOARD_CONFIG_{name}")).expect("the setting is in the definition")
    }

    fn text(&self, name: &str) -> String {
        self.value(name).as_string()
    }

    fn number(&self, name: &str) -> i128 {
        self.value(name).as_integer()
    }
}
