//! The adder as an image for the ESP32-C3: built and linked with Wi-Fi and with Ethernet, and refused with wrong settings. For
//! the chips whose compiler is not at hand: whether what they need goes together.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use object::{Object, ObjectSection, SectionFlags, SectionKind, elf};

use crate::{Failure, riscv, server::root};

const CHIP: &str = "esp32c3";
const XTENSA: [&str; 3] = ["esp32", "esp32s2", "esp32s3"];
const NAME: &str = "TENURE_BOARD_CONFIG_WIFI_NAME";
const IPV4: &str = "TENURE_BOARD_CONFIG_IPV4";
const GATEWAY: &str = "TENURE_BOARD_CONFIG_GATEWAY";
/// Nobody's network: the image is not for a board.
const NOBODYS: (&str, &str) = (NAME, "nobody's");

/// How the image is built: its features and its settings.
struct Build<'a> {
    network: &'a str,
    features: &'a [&'a str],
    settings: &'a [(&'a str, &'a str)],
}

const WIFI: Build<'_> = Build { network: "Wi-Fi", features: &[], settings: &[NOBODYS] };
const ETHERNET: Build<'_> = Build {
    network: "Ethernet",
    features: &["--no-default-features", "--features", "esp32c3,ethernet,ipv6"],
    settings: &[(NAME, ""), (IPV4, "192.168.1.50/24"), (GATEWAY, "192.168.1.1")],
};

/// Builds the images and tells their sizes.
pub(crate) fn images() -> Result<(), Failure> {
    for build in [WIFI, ETHERNET] {
        let from = Instant::now();
        let image = build.run()?;
        println!("{CHIP} by {}: built in {} s", build.network, from.elapsed().as_secs());
        sizes(&image)?;
        flash_image(&image)?;
    }
    Ok(())
}

pub(crate) fn run() -> Result<(), Failure> {
    images()?;
    unset()?;
    template()?;
    // Beside what has just been accepted.
    for (wrong, text) in [
        (
            Build { settings: &[(NAME, "")], ..WIFI },
            "the name of the Wi-Fi network is missing: set TENURE_BOARD_CONFIG_WIFI_NAME",
        ),
        (Build { settings: &[NOBODYS, (IPV4, "192.168.1.0/24")], ..WIFI }, "is no host's address"),
        (
            Build { settings: &[NOBODYS, ("TENURE_BOARD_CONFIG_TARGET_BYTES_MAX", "1025")], ..WIFI },
            "write at most 1024",
        ),
        (
            Build { settings: &[NOBODYS, ("TENURE_BOARD_CONFIG_SESSIONS", "20")], ..WIFI },
            "set fewer TENURE_BOARD_CONFIG_SESSIONS",
        ),
        (Build { settings: &[("TENURE_BOARD_CONFIG_W5500_CS_PIN", "11")], ..ETHERNET }, "GPIO11 cannot be"),
        (
            Build { features: &["--no-default-features", "--features", "esp32c3,rmii,ipv6"], ..ETHERNET },
            "only the ESP32 has a MAC of its own",
        ),
        (Build { features: &["--features", "ethernet"], ..WIFI }, "say one network"),
    ] {
        wrong.is_refused(text)?;
    }
    XTENSA.into_iter().try_for_each(resolves)
}

/// What an editor does, before anything is configured: no flag, no name of a network.
fn unset() -> Result<(), Failure> {
    let from = Instant::now();
    let status = riscv::cargo_with("core,alloc")?
        .current_dir(root().join("firmware").join("board"))
        .args(["check", "--locked", "--target-dir"])
        .arg(riscv::target_dir(root()))
        .env(NAME, "")
        .status()?;
    if !status.success() {
        return Err("`cargo check` in firmware/board fails where nothing is set".into());
    }
    println!("{CHIP}: checked without a flag and without a setting in {} s", from.elapsed().as_secs());
    Ok(())
}

/// What a newcomer copies builds as it stands, without a setting.
fn template() -> Result<(), Failure> {
    let from = Instant::now();
    let status = riscv::cargo_with("core,alloc")?
        .current_dir(root().join("firmware").join("template"))
        .args(["build", "--release", "--locked", "--target", riscv::TARGET, "--target-dir"])
        .arg(riscv::target_dir(root()))
        .status()?;
    if !status.success() {
        return Err("firmware/template does not build".into());
    }
    println!("{CHIP}, the template: built in {} s", from.elapsed().as_secs());
    Ok(())
}

/// No compiler at hand makes code for these chips: that what the image needs goes together is all that can be seen.
fn resolves(chip: &str) -> Result<(), Failure> {
    let target = format!("xtensa-{chip}-none-elf");
    let features = format!("{chip},wifi,ipv6");
    let output = riscv::cargo_with("core,alloc")?
        .current_dir(root().join("firmware").join("board"))
        .args(["metadata", "--locked", "--format-version", "1", "--filter-platform", &target])
        .args(["--no-default-features", "--features", &features])
        .output()?;
    if !output.status.success() {
        return Err(format!("{chip}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    println!(
        "{chip}: dependencies and features go together; not compiled here, that takes Espressif's compiler (espup)"
    );
    Ok(())
}

impl Build<'_> {
    fn command(&self) -> Result<Command, Failure> {
        let mut cargo = riscv::cargo_with("core,alloc")?;
        cargo
            .current_dir(root().join("firmware").join("board"))
            .args(["build", "--release", "--locked", "--target", riscv::TARGET, "--target-dir"])
            .arg(riscv::target_dir(root()))
            .args(self.features)
            .envs(self.settings.iter().copied());
        Ok(cargo)
    }

    /// Builds the image and returns where it is: one a network, since the next build writes over cargo's.
    fn run(&self) -> Result<PathBuf, Failure> {
        let status = self.command()?.status().map_err(|error| format!("cargo cannot be started: {error}"))?;
        if !status.success() {
            return Err(format!("the image for {} cannot be built", self.network).into());
        }
        Ok(riscv::target_dir(root()).join(riscv::TARGET).join("release").join("tenure-board"))
    }

    /// The build must fail, and say that.
    fn is_refused(&self, text: &str) -> Result<(), Failure> {
        let output = self.command()?.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            return Err(format!("an image was built that ought to be refused with {text:?}").into());
        }
        if !said.contains(text) {
            return Err(format!("a build was not refused with {text:?}, but:\n{said}").into());
        }
        println!("refused as it ought to be: {text}");
        Ok(())
    }
}

/// Where bytes of an image are.
#[derive(Default)]
struct Sizes {
    text: u64,
    text_in_ram: u64,
    rodata: u64,
    data: u64,
    bss: u64,
    heap_reclaimed: u64,
    stack: u64,
}

/// Tells the sizes of what the linker has placed.
fn sizes(image: &Path) -> Result<(), Failure> {
    let bytes = fs::read(image)?;
    let mut sizes = Sizes::default();
    for section in object::File::parse(&*bytes)?.sections() {
        let SectionFlags::Elf { sh_flags, .. } = section.flags() else { continue };
        let name = section.name()?;
        // A dummy only keeps addresses free that the same RAM or flash has elsewhere.
        if !sh_flags.contains(elf::SHF_ALLOC) || name.ends_with("_dummy") {
            continue;
        }
        let place = match (name, section.kind()) {
            (".stack", _) => &mut sizes.stack,
            (".dram2_uninit", _) => &mut sizes.heap_reclaimed,
            (".trap", _) => &mut sizes.text_in_ram,
            (name, _) if name.starts_with(".rwtext") => &mut sizes.text_in_ram,
            (_, SectionKind::Text) => &mut sizes.text,
            (_, SectionKind::Data) => &mut sizes.data,
            (_, SectionKind::UninitializedData) => &mut sizes.bss,
            _ => &mut sizes.rodata,
        };
        *place += section.size();
    }
    let Sizes { text, text_in_ram, rodata, data, bss, heap_reclaimed, stack } = sizes;
    println!("  flash: text {text}, text for the RAM {text_in_ram}, rodata {rodata}, data {data}");
    println!(
        "  RAM: text {text_in_ram}, data {data}, bss {bss}, left for the stack {stack}; reclaimed heap {heap_reclaimed}"
    );
    Ok(())
}

/// Tells the size of what would be flashed, where `espflash` is there to make it.
fn flash_image(image: &Path) -> Result<(), Failure> {
    let file = image.with_extension("bin");
    let made = Command::new("espflash")
        .args(["save-image", "--chip", CHIP, "--skip-update-check"])
        .args([image, &file])
        .output();
    match made {
        Ok(output) if output.status.success() => println!("  image to flash: {} bytes", fs::metadata(&file)?.len()),
        Ok(output) => return Err(format!("espflash fails: {}", String::from_utf8_lossy(&output.stderr)).into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("  image to flash: not made, espflash is not installed");
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
