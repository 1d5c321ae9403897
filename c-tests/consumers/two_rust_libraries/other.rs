//! Another Rust library of the same program, with a standard library and panics of its own.

#[unsafe(no_mangle)]
pub extern "C" fn other_panic() -> i32 {
    let words: Vec<String> = (0..3).map(|n| n.to_string()).collect();
    std::panic::catch_unwind(|| panic!("{}", words.len())).map_or(3, |()| 0)
}
