//! How the program is linked: where the machine it is built for is this one, it starts sooner and holds five megabytes less for it
//! (CONTRIBUTING.md has the figures). Where anything is missing, it is linked as any other program.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let of_target = |name: &str| std::env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    // A linker that somebody chose may be for another machine.
    let native = std::env::var("HOST") == std::env::var("TARGET") && std::env::var_os("RUSTC_LINKER").is_none();
    if !(native && of_target("OS") == "linux" && of_target("ENV") == "gnu") {
        return;
    }
    // A bit for an address to relocate instead of 24 bytes. The loader of glibc knows that form from 2.36 on.
    if glibc().is_some_and(|version| version >= (2, 36)) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    // The kernel maps the program's file in pieces of 64 KiB around each place that is read, so what is needed together stands together.
    // Linkers that people choose by a flag need not know such a file, and without optimisation the names are others.
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if of_target("ARCH") == "x86_64" && std::env::var("PROFILE").as_deref() == Ok("release") && !flags.contains("link") {
        let layout = Path::new(env!("CARGO_MANIFEST_DIR")).join("layout.ld");
        println!("cargo::rerun-if-changed={}", layout.display());
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{}", layout.display());
    }
    // The part of `libgcc_s` that unwinds, so that the library need not be there, found and read.
    if let Some(archive) = said("cc", &["-print-file-name=libgcc_eh.a"])
        && Path::new(&archive).is_absolute()
    {
        println!("cargo::rerun-if-changed={archive}");
        println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
    }
}

/// `(2, 36)`, as `glibc 2.36` says.
fn glibc() -> Option<(u32, u32)> {
    let said = said("getconf", &["GNU_LIBC_VERSION"])?;
    let (major, minor) = said.strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn said(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
