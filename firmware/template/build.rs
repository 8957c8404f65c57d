//! Tells the linker where code and data are.

fn main() {
    println!("cargo::rustc-link-arg=-Tlinkall.x");
}
