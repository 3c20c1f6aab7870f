//! Compiles the protocol's definition into descriptors, for reflection and OpenAPI.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use protox::Compiler;

const FOLDER: &str = "proto";

fn main() -> Result<(), Box<dyn Error>> {
    say_what_it_depends_on();
    let mut compiler = Compiler::new([FOLDER])?;
    compiler.include_imports(true);
    // Comments become descriptions in the OpenAPI document.
    compiler.include_source_info(true);
    compiler.open_file("a2a.proto")?;
    let folder = env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    let file = PathBuf::from(folder).join("a2a.bin");
    fs::write(file, compiler.encode_file_descriptor_set())?;
    Ok(())
}

/// Cargo would run this after every edit of the room otherwise.
fn say_what_it_depends_on() {
    println!("cargo::rerun-if-changed={FOLDER}");
}
