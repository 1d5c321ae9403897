//! The layers of src/: a file imports files of lower layers only, or of its own layer without a cycle. The C API has no
//! unsafe code.
//!
//! The test reads `use` declarations and paths that begin with `crate::`; tests inside files do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// From top to bottom. A file belongs to the layer with the longest matching path. Layers of one line do not import
/// each other.
const LAYERS: [&[&str]; 14] = [
    &["ffi/api"],
    &["ffi/border"],
    &["cache/bundle"],
    &["cache/memo", "cache/lease", "cache/walk", "cache/registry", "cache/holder"],
    &["cache/memoize"],
    &["cache/any"],
    &["cache/shared"],
    &["cache"],
    &["config", "iit"],
    &["key", "redis", "disk"],
    &["table"],
    &["memory", "flight"],
    &["epoch"],
    &["sync"],
];

/// Below all of them.
const BOTTOM: &str = "error";

/// A file of src/, as a path of modules: `cache/shared/near`, `cache` for `cache/mod.rs`.
type Module = String;

struct Source {
    text: String,
    /// The paths that the file imports, each from the root of the crate.
    paths: BTreeSet<Vec<String>>,
    /// The names that the file re-exports, and where they come from.
    exports: BTreeMap<String, Vec<String>>,
}

fn sources() -> BTreeMap<Module, Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if let Some(name) =
                name.strip_suffix(".rs").filter(|name| !name.ends_with("_tests") && *name != "lib")
            {
                let module = name.strip_suffix("/mod").unwrap_or(name).to_owned();
                found.insert(module.clone(), source(&module, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

fn source(module: &str, text: &str) -> Source {
    let tests = ["\n#[cfg(test)]\n", "\n#[cfg(all(test"].iter().filter_map(|mark| text.find(mark)).min();
    let code = |line: &&str| !line.trim_start().starts_with("//");
    let text = text[..tests.unwrap_or(text.len())].lines().filter(code).collect::<Vec<_>>().join("\n");
    let own: Vec<String> = module.split('/').map(str::to_owned).collect();
    let (mut paths, mut exports) = (BTreeSet::new(), BTreeMap::new());
    for (at, _) in text.match_indices("use ").filter(|(at, _)| *at == 0 || " \n)".contains(&text[at - 1..*at])) {
        let Some((declaration, _)) = text[at + 4..].split_once(';') else { continue };
        for (path, name) in expanded(declaration) {
            let Some(path) = from_root(&own, &path, true) else { continue };
            if text[..at].trim_end().ends_with(['b', ')']) {
                exports.insert(name, path.clone());
            }
            paths.insert(path);
        }
    }
    for (at, _) in text.match_indices("crate::").filter(|(at, _)| !text[..*at].ends_with('$')) {
        let path = text[at..].split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).next().unwrap();
        let path: Vec<String> = path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        paths.extend(from_root(&own, &path, false));
    }
    Source { text, paths, exports }
}

/// The paths of a `use` declaration, each with the name that it is imported under.
fn expanded(declaration: &str) -> Vec<(Vec<String>, String)> {
    let declaration = declaration.trim();
    if let Some((before, list)) = declaration.split_once('{') {
        let list = list.trim().strip_suffix('}').unwrap_or(list);
        let (mut depth, mut items) = (0, vec![String::new()]);
        for c in list.chars() {
            depth += i32::from(c == '{') - i32::from(c == '}');
            match c == ',' && depth == 0 {
                true => items.push(String::new()),
                false => items.last_mut().unwrap().push(c),
            }
        }
        let items = items.into_iter().filter(|item| !item.trim().is_empty());
        return items.flat_map(|item| expanded(&format!("{before}{}", item.trim()))).collect();
    }
    let (path, name) = match declaration.split_once(" as ") {
        Some((path, name)) => (path, Some(name.trim().to_owned())),
        None => (declaration, None),
    };
    let path: Vec<String> = path.split("::").map(|part| part.trim().to_owned()).filter(|part| part != "self").collect();
    let name = name.unwrap_or_else(|| path.last().cloned().unwrap_or_default());
    vec![(path, name)]
}

/// A path from the root of the crate; None for other crates.
fn from_root(own: &[String], path: &[String], is_use: bool) -> Option<Vec<String>> {
    match path.first().map(String::as_str) {
        Some("crate") => Some(path[1..].to_vec()),
        Some("super") => {
            let supers = path.iter().take_while(|part| *part == "super").count();
            let base = own.len().checked_sub(supers)?;
            Some([&own[..base], &path[supers..]].concat())
        }
        // A module's own children, which only a mod.rs has.
        Some(_) if is_use => Some([own, path].concat()),
        _ => None,
    }
}

/// The file that a path leads to: through re-exports, so that `table::Pinned` is `table/pin`.
fn resolve(sources: &BTreeMap<Module, Source>, path: &[String]) -> Option<Module> {
    let mut path = path.to_vec();
    for _ in 0..8 {
        let len = (1..=path.len()).rev().find(|len| sources.contains_key(&path[..*len].join("/")))?;
        let module = path[..len].join("/");
        let export = path.get(len).and_then(|name| sources[&module].exports.get(name));
        match export {
            Some(export) if *export != path => path = [&export[..], &path[len + 1..]].concat(),
            _ => return Some(module),
        }
    }
    None
}

/// Which files each file imports. A mod.rs only declares and re-exports.
fn imports(sources: &BTreeMap<Module, Source>) -> BTreeMap<&Module, BTreeSet<Module>> {
    let is_folder = |module: &Module| sources.keys().any(|other| other.starts_with(&format!("{module}/")));
    let files = sources.iter().filter(|(module, _)| !is_folder(module));
    files
        .map(|(module, source)| {
            let imported = source.paths.iter().filter_map(|path| resolve(sources, path));
            (module, imported.filter(|other| other != module && !is_folder(other)).collect())
        })
        .collect()
}

/// The layer of a file, from the top.
fn layer(module: &str) -> (usize, &'static str) {
    let covers = |name: &str| module == name || module.starts_with(&format!("{name}/"));
    let named = LAYERS.iter().enumerate().flat_map(|(at, names)| names.iter().map(move |name| (at, *name)));
    let bottom = Some((LAYERS.len(), BOTTOM));
    let found = named.chain(bottom).filter(|(_, name)| covers(name)).max_by_key(|(_, name)| name.len());
    found.unwrap_or_else(|| panic!("src/{module}.rs is in no layer; give it one in tests/layers.rs"))
}

#[test]
fn every_import_points_down() {
    let sources = sources();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (module, imported) in imports(&sources) {
        for other in imported {
            seen += 1;
            let (from, to) = (layer(module), layer(&other));
            if from.0 > to.0 || (from.0 == to.0 && from.1 != to.1) {
                wrong.push(format!("{module} imports {other}"));
            }
        }
    }
    assert!(seen > 300, "only {seen} imports were read");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_files_import_each_other_in_a_cycle() {
    let sources = sources();
    let mut left = imports(&sources);
    // A file that imports nothing that is left, or that nothing left imports, is in no cycle.
    loop {
        let known: BTreeSet<Module> = left.keys().map(|module| (*module).clone()).collect();
        let imported: BTreeSet<Module> = left.values().flatten().cloned().collect();
        let before = left.len();
        left.retain(|module, others| imported.contains(*module) && others.iter().any(|other| known.contains(other)));
        if left.len() == before {
            break;
        }
    }
    let known: BTreeSet<Module> = left.keys().map(|module| (*module).clone()).collect();
    let cycle = left.iter().map(|(module, imported)| {
        let back: Vec<_> = imported.iter().filter(|other| known.contains(*other)).cloned().collect();
        format!("{module} -> {}", back.join(", "))
    });
    let cycle: Vec<_> = cycle.collect();
    assert!(cycle.is_empty(), "{}", cycle.join("\n"));
}

#[test]
fn the_c_api_is_free_of_unsafe_code() {
    for (module, source) in sources().iter().filter(|(module, _)| module.starts_with("ffi/api")) {
        let plain = source.text.replace("#[unsafe(no_mangle)]", "").replace("pub unsafe extern \"C\" fn", "");
        assert!(!plain.contains("unsafe"), "{module} has unsafe code, which belongs in ffi/border");
    }
}
