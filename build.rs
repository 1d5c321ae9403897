//! Writes the C header to OUT_DIR, and sets the SONAME of the shared library that cargo links.
//!
//! cbindgen orders items by kind, but the header is read from top to bottom, handle by handle. So cbindgen runs once
//! for each file in `PARTS`, in that order, and each part begins with the introduction of its file.
//!
//! The functions that all types of cache have are written once, in `src/ffi/api/verbs.rs.in`. Each
//! `verbs! { type, "noun": verb, … }` in a file instantiates them: they are written to OUT_DIR, where the compiler
//! includes them (`src/ffi/api/mod.rs`), and replace the macro in the text for cbindgen, which expands no macros.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use cbindgen::{Builder, Config};

const PARTS: [&str; 20] = [
    "border/types",
    "api/library",
    "api/config",
    "api/key",
    "api/cache",
    "api/read",
    "api/parts",
    "api/flat",
    "api/entries",
    "api/callback",
    "api/dict",
    "api/redis",
    "api/disk",
    "api/purview",
    "api/memo",
    "api/subsystem",
    "api/mice",
    "api/bundle",
    "api/lease",
    "api/registry",
];

fn main() {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    println!("cargo::rerun-if-changed=src/ffi");
    println!("cargo::rerun-if-changed=cbindgen.toml");
    let config = Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is readable");
    let out = PathBuf::from(variable("OUT_DIR")).join("ffi");
    fs::create_dir_all(out.join("api"))
        .and_then(|()| fs::create_dir_all(out.join("border")))
        .expect("OUT_DIR is writable");
    let template = read(&root.join("src/ffi/api/verbs.rs.in"));
    let parts = PARTS.map(|part| {
        let expanded = out.join(format!("{part}.rs"));
        let text = instantiate_verbs(read(&root.join(format!("src/ffi/{part}.rs"))), &template, &out);
        fs::write(&expanded, text).expect("OUT_DIR is writable");
        section(&expanded, &config)
    });
    println!("cargo::rustc-env=PHICACHE_EXPANDED={}", out.display());
    let head = read(&root.join("src/ffi/header.h"));
    println!("cargo::rerun-if-changed=src/ffi/header.h");
    let header = head
        .replace("@MAJOR@", &variable("CARGO_PKG_VERSION_MAJOR"))
        .replace("@MINOR@", &variable("CARGO_PKG_VERSION_MINOR"))
        .replace("@PATCH@", &variable("CARGO_PKG_VERSION_PATCH"))
        .replace("@PARTS@\n", &parts.concat());
    let path = Path::new(&variable("OUT_DIR")).join("phicache.h");
    fs::write(&path, header).expect("OUT_DIR is writable");
    println!("cargo::rustc-env=PHICACHE_HEADER={}", path.display());

    println!("cargo::rerun-if-changed=Cargo.lock");
    println!("cargo::rustc-env=PHICACHE_BUILT_FROM={}", built_from(&root));

    if variable("CARGO_CFG_TARGET_OS") == "linux" {
        let soname =
            format!("libphicache.so.{}.{}", variable("CARGO_PKG_VERSION_MAJOR"), variable("CARGO_PKG_VERSION_MINOR"));
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,{soname}");
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}

/// The versions of the compiler, and of the crates that Cargo.toml names and this build uses. ring is what rustls
/// computes with.
fn built_from(root: &Path) -> String {
    let crates: &[(&str, &[&str])] = &[
        ("", &["blake3", "hashbrown", "libc", "once_cell", "rapidhash", "rustix"]),
        ("REDIS", &["redis", "socket2"]),
        ("TLS", &["rustls", "rustls-native-certs", "ring"]),
    ];
    let compiler = Command::new(variable("RUSTC")).arg("--version").output().expect("rustc tells its version");
    let compiler = String::from_utf8_lossy(&compiler.stdout);
    let mut versions = vec![compiler.split(' ').take(2).collect::<Vec<_>>().join(" ").trim().to_owned()];
    // As a dependency of another program the crate has no lock file of its own.
    let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default();
    let is_used = |feature: &str| feature.is_empty() || env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
    for name in crates.iter().filter(|(feature, _)| is_used(feature)).flat_map(|(_, names)| *names) {
        let package = lock.split_once(&format!("\nname = \"{name}\"\nversion = \"")).map(|(_, rest)| rest);
        if let Some((version, _)) = package.and_then(|rest| rest.split_once('"')) {
            versions.push(format!("{name} {version}"));
        }
    }
    versions.join(", ")
}

/// Replaces `verbs! { type, "noun": verb, … }` with these verbs of the template, and writes them to the type's own
/// file.
fn instantiate_verbs(mut text: String, template: &str, out: &Path) -> String {
    while let Some(start) = text.find("\nverbs! {") {
        let end = start + text[start..].find('}').expect("verbs! ends") + 1;
        let (subject, verbs) = text[start + 9..end - 1].split_once(':').expect("verbs! { type, \"noun\": verb, … }");
        let (kind, noun) = subject.split_once(',').expect("verbs! has a type and a noun");
        let (kind, noun) = (kind.trim().to_owned(), noun.trim().trim_matches('"'));
        let functions: Vec<String> = verbs
            .split(',')
            .map(|verb| template_part(template, verb.trim()).replace("\n/// @waits@", &waits(&kind, verb.trim())))
            .collect();
        let functions = functions.join("\n\n").replace("@type@", &kind).replace("@noun@", noun);
        fs::write(out.join(format!("{kind}.rs")), &functions).expect("OUT_DIR is writable");
        text.replace_range(start..end, &format!("\n{functions}"));
    }
    text
}

/// The paragraph that says what a function may wait for: other threads that compute, and where the values are.
fn waits(kind: &str, verb: &str) -> String {
    let place = match kind {
        "dict_cache" | "purview_cache" => "",
        "redis_cache" => "the server",
        "disk_cache" => "the file system",
        _ => "the server or the file system, if the values are there",
    };
    match (verb, place) {
        ("memoize", "") => "\n///\n/// May wait for another thread that computes the value.".into(),
        ("memoize", place) => {
            let place = place.replace("if the ", "if the\n/// ");
            format!("\n///\n/// May wait for another thread or process that computes the value, and for {place}.")
        }
        (_, "") => String::new(),
        (_, place) => format!("\n///\n/// May wait for {place}."),
    }
}

/// The part of the template that begins with `//= VERB`.
fn template_part<'t>(template: &'t str, verb: &str) -> &'t str {
    let mut parts = template.split("//= ").skip(1).map(|part| part.split_once('\n').expect("a part has lines"));
    parts.find(|(name, _)| *name == verb).unwrap_or_else(|| panic!("verbs.rs.in has no {verb}")).1.trim_ascii()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The part of the header for one file: its introduction, with code indented, then its declarations.
fn section(source: &Path, config: &Config) -> String {
    let text = read(source);
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
