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
    let constant = [
        "phicache_version",
        "phicache_version_number",
        "phicache_features",
        "phicache_built_from",
        "phicache_status_name",
        "phicache_origin_refusal",
    ];
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

/// The functions whose descriptions say that they may wait.
fn waiting(header: &str) -> Vec<&str> {
    let described = header.split("/**").skip(1).filter_map(|text| text.split_once("*/"));
    let waiting = described.filter(|(description, _)| description.contains("May wait for "));
    waiting.map(|(_, rest)| rest.split('(').next().unwrap().rsplit([' ', '\n']).next().unwrap()).collect()
}

#[test]
fn the_guide_lists_the_functions_that_may_wait() {
    let (header, guide) = (read("include/phicache.h"), read("docs/guide.md"));
    let waiting = waiting(&header);
    let section = guide.split_once("### Which calls may wait\n").unwrap().1;
    let table = section.split_once("\n\n| ").unwrap().1.split("\n\n").next().unwrap();
    let names = table.split('`').skip(1).step_by(2).filter(|name| name.starts_with("phicache_"));
    let names: Vec<(&str, &str)> = names.map(|name| name.split_once('…').unwrap_or((name, ""))).collect();
    let matches = |(start, end): (&str, &str), function: &str| {
        // Of each lookup there are forms for keys in parts and with flat arguments.
        let plain = function.trim_end_matches("_parts").trim_end_matches("_flat");
        let is_whole = end.is_empty() && function == start;
        is_whole || !end.is_empty() && plain.starts_with(start) && plain.ends_with(&format!("cache{end}"))
    };
    for function in &waiting {
        assert!(names.iter().any(|name| matches(*name, function)), "{function} may wait, and the guide lacks it");
    }
    for name in names {
        assert!(
            waiting.iter().any(|function| matches(name, function)),
            "{name:?} may wait in the guide, not in the header"
        );
    }
    assert!(waiting.len() > 60, "{} functions", waiting.len());
    // What computes, asks a server or uses files may wait.
    for (name, _) in exported() {
        let ends = ["memoize", "ping", "_call", "_call_key", "_begin", "_save", "_load", "_open", "_sync"];
        let may = ends.iter().any(|end| name.ends_with(end)) || name.contains("_disk_") && name.ends_with("_new");
        assert!(!may || name == "phicache_read_begin" || waiting.contains(&name.as_str()), "{name} may wait");
    }
}

/// Outputs are zero on errors: an unchecked key or node set would be the empty one, an unchecked cut would sever
/// nothing, and each would find the results of another question.
#[test]
fn the_compiler_warns_if_the_status_of_what_makes_a_handle_a_key_or_a_part_of_one_is_not_checked() {
    let ends = ["_new", "_shared", "_open", "_fingerprint", "_cache_key", "_subsystem_key", "_subsystem_cut"];
    let makes = |name: &str| {
        ends.iter().any(|end| name.ends_with(end))
            || ["phicache_key_bytes", "phicache_key_repertoire", "phicache_key_mice", "phicache_nodes_from_indices"]
                .contains(&name)
            || name.starts_with("phicache_cut_") && name != "phicache_cut_damages"
    };
    let makers: Vec<_> = exported().into_iter().filter(|(name, _)| makes(name)).collect();
    for (name, text) in &makers {
        assert!(text.split_once("fn ").unwrap().0.contains("#[must_use]"), "{name} is not #[must_use]");
    }
    assert!(makers.len() > 30, "{} functions", makers.len());
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
