//! The committed header matches its sources, and every exported function follows the rules of the border.

use std::fs;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
}

#[test]
fn the_committed_header_is_current() {
    let generated = fs::read_to_string(env!("PHICACHE_HEADER")).unwrap();
    assert!(generated == read("include/phicache.h"), "include/phicache.h is stale; `make header` renews it");
}

/// The exported functions, each with the text from its name to the end of its file, after `verbs!` is instantiated.
fn exported() -> Vec<(String, String)> {
    let mut functions = Vec::new();
    for entry in fs::read_dir(Path::new(env!("PHICACHE_EXPANDED")).join("api")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for part in text.split("#[unsafe(no_mangle)]").skip(1) {
            let name = part.split_once("fn ").unwrap().1.split('(').next().unwrap();
            functions.push((name.to_owned(), part.to_owned()));
        }
    }
    functions
}

#[test]
fn every_exported_function_catches_panics_under_its_own_name() {
    // Functions that only return constants cannot panic.
    let constant = ["phicache_version", "phicache_version_number", "phicache_features", "phicache_status_name"];
    // A lookup that computes on a miss takes its name from Computes::FUNCTION (border/callback.rs).
    let callback = read("src/ffi/border/callback.rs");
    assert_eq!(callback.matches("catch_panics(C::FUNCTION, ").count(), 2);
    for (name, text) in exported() {
        let body = text.split_once('{').unwrap().1;
        let alone = &body[..body.find("\n}").unwrap()];
        // The fast path cannot fail (fast_path.rs); the slow path is the function that follows.
        let body = if alone.contains("fast_path::") { body } else { alone };
        let guarded = ["catch_panics", "catch_panics_infallible", "add"].iter().any(|border| {
            let call = body.find(&format!("{border}("));
            call.is_some_and(|at| body[at + border.len() + 1..].trim_start().starts_with(&format!("\"{name}\"")))
        });
        let named = text.split_once("const FUNCTION: &'static str = ").map(|(_, rest)| rest);
        let computes =
            body.contains("callback::compute(") && named.is_some_and(|rest| rest.starts_with(&format!("\"{name}\";")));
        assert!(
            guarded || computes || constant.contains(&name.as_str()),
            "{name} does not run inside catch_panics(\"{name}\", …)"
        );
    }
}

/// `src/ffi/border/mod.rs` relies on it. `tests/layers.rs` checks that the API has no unsafe code.
#[test]
fn the_api_neither_makes_nor_stores_pointers() {
    let mut files = 0;
    for entry in fs::read_dir(Path::new(ROOT).join("src/ffi/api")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap().trim();
            for word in [".cast", "as *", "ptr::", "transmute", "NonNull", "static mut", "thread_local"] {
                assert!(!code.contains(word), "{}:{}: {line}", path.display(), number + 1);
            }
            assert!(!code.starts_with("static "), "{}:{}: {line}", path.display(), number + 1);
        }
        files += 1;
    }
    assert!(files > 15, "{files} files");
}

#[test]
fn the_header_declares_every_exported_function_and_describes_every_parameter() {
    let header = read("include/phicache.h");
    let mut functions = 0;
    for (name, _) in exported().iter().filter(|(name, _)| name != "phicache_test_panic") {
        // Examples in comments call functions; they do not count.
        let declared = header.match_indices(&format!("{name}(")).map(|(at, _)| at).find(|at| {
            let line = &header[header[..*at].rfind('\n').unwrap() + 1..*at];
            line.ends_with([' ', '*']) && !line.starts_with(' ')
        });
        let at = declared.unwrap_or_else(|| panic!("the header lacks {name}"));
        let comment = &header[header[..at].rfind("/**").unwrap()..at];
        let parameters = header[at..].split_once('(').unwrap().1.split_once(");").unwrap().0;
        for parameter in parameters.split(',').map(str::trim).filter(|parameter| *parameter != "void") {
            let parameter = parameter.rsplit([' ', '*']).next().unwrap();
            assert!(comment.contains(&format!("@param {parameter} ")), "{name}: {parameter} is not described");
        }
        functions += 1;
    }
    assert!(functions > 80, "{functions} functions");
    assert!(!header.contains("phicache_test_panic"));
}

#[test]
fn versions_agree() {
    let header = read("include/phicache.h");
    for (part, version) in [
        ("MAJOR", env!("CARGO_PKG_VERSION_MAJOR")),
        ("MINOR", env!("CARGO_PKG_VERSION_MINOR")),
        ("PATCH", env!("CARGO_PKG_VERSION_PATCH")),
    ] {
        assert!(header.contains(&format!("#define PHICACHE_VERSION_{part} {version}\n")));
    }
    assert!(read("julia/PhiCache/Project.toml").contains(&format!("version = \"{}\"", env!("CARGO_PKG_VERSION"))));
    assert!(read("CHANGELOG.md").contains(&format!("## {}", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn status_numbers_are_used_once_and_named() {
    use phicache::ffi::api::library::phicache_status_name;
    let header = read("include/phicache.h");
    let mut numbers = std::collections::HashSet::new();
    let mut statuses = 0;
    for line in header.lines().filter_map(|line| line.strip_prefix("#define PHICACHE_")) {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        let is_status = ["OK", "MISS", "LEASE", "BUSY", "TIMEOUT"].contains(&name)
            || name.starts_with("REFUSED_")
            || name.starts_with("ERROR_");
        if is_status {
            let number: i32 = value.trim_matches(['(', ')']).parse().unwrap();
            assert!(numbers.insert(number), "{name} = {number} is used twice");
            // SAFETY: names are static and NUL-terminated.
            let told = unsafe { std::ffi::CStr::from_ptr(phicache_status_name(number)) };
            assert_eq!(told.to_str(), Ok(name));
            statuses += 1;
        }
    }
    assert_eq!(statuses, 26);
}
