//! Writes the C header to OUT_DIR, and sets the SONAME of the shared library that cargo links.
//!
//! cbindgen orders items by kind, but the header is read from top to bottom, handle by handle. So cbindgen runs once for
//! each file in `PARTS`, in that order, and each part begins with the introduction of its file.

use std::path::{Path, PathBuf};
use std::{env, fs};

use cbindgen::{Builder, Config};

const PARTS: [&str; 15] = [
    "border/types",
    "api/library",
    "api/config",
    "api/key",
    "api/cache",
    "api/read",
    "api/callback",
    "api/dict",
    "api/redis",
    "api/purview",
    "api/memo",
    "api/subsystem",
    "api/mice",
    "api/lease",
    "api/registry",
];

fn main() {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    println!("cargo::rerun-if-changed=src/ffi");
    println!("cargo::rerun-if-changed=cbindgen.toml");
    let config = Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is readable");
    let parts = PARTS.map(|part| section(&root.join(format!("src/ffi/{part}.rs")), &config));
    let head = fs::read_to_string(root.join("src/ffi/header.h")).expect("src/ffi/header.h is readable");
    println!("cargo::rerun-if-changed=src/ffi/header.h");
    let header = head
        .replace("@MAJOR@", &variable("CARGO_PKG_VERSION_MAJOR"))
        .replace("@MINOR@", &variable("CARGO_PKG_VERSION_MINOR"))
        .replace("@PATCH@", &variable("CARGO_PKG_VERSION_PATCH"))
        .replace("@PARTS@\n", &parts.concat());
    let path = Path::new(&variable("OUT_DIR")).join("phicache.h");
    fs::write(&path, header).expect("OUT_DIR is writable");
    println!("cargo::rustc-env=PHICACHE_HEADER={}", path.display());

    if variable("CARGO_CFG_TARGET_OS") == "linux" {
        let soname =
            format!("libphicache.so.{}.{}", variable("CARGO_PKG_VERSION_MAJOR"), variable("CARGO_PKG_VERSION_MINOR"));
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,{soname}");
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}

/// The part of the header for one file: its introduction, with code indented, then its declarations.
fn section(source: &Path, config: &Config) -> String {
    let text = fs::read_to_string(source).expect("the sources are readable");
    let mut lines = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim_end);
    let title = lines.next().unwrap_or_default().trim_start();
    let rule = "-".repeat(116 - title.chars().count());
    let mut introduction = String::new();
    let mut is_code = false;
    for line in lines {
        if line.starts_with(" ```") {
            is_code = !is_code;
        } else {
            let line = format!(" *{}{line}", if is_code { "    " } else { "" });
            introduction += &(line.trim_end().to_owned() + "\n");
        }
    }
    let mut declarations = Vec::new();
    Builder::new()
        .with_src(source)
        .with_config(config.clone())
        .generate()
        .expect("cbindgen understands src/ffi")
        .write(&mut declarations);
    let declarations = String::from_utf8(declarations).expect("cbindgen writes UTF-8");
    format!("\n/* {title} {rule}\n{introduction} */\n\n{}\n", tidy(declarations.trim()))
}

/// Puts one-line comments on one line, and negative constants in parentheses.
fn tidy(declarations: &str) -> String {
    let lines: Vec<&str> = declarations.lines().collect();
    let mut tidy = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let words: Vec<&str> = lines[at].split(' ').collect();
        match (lines[at].trim(), lines.get(at + 2).map(|line| line.trim())) {
            ("/**", Some("*/")) => {
                let indent = lines[at].len() - lines[at].trim_start().len();
                let text = lines[at + 1].trim().trim_start_matches("* ");
                tidy.push(format!("{:indent$}/** {text} */", ""));
                at += 2;
            }
            _ => match words[..] {
                ["#define", name, value] if value.starts_with('-') => tidy.push(format!("#define {name} ({value})")),
                _ => tidy.push(lines[at].to_owned()),
            },
        }
        at += 1;
    }
    tidy.join("\n")
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}
