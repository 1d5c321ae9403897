//! The resident size of this process.

/// The size of a page, in which the system counts.
const PAGE: u64 = 4096;

/// Bytes of physical memory that this process occupies.
pub fn bytes() -> Result<u64, String> {
    let file = "/proc/self/statm";
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.map(|pages| pages * PAGE).ok_or_else(|| format!("{file}: no resident size in {text}"))
}
