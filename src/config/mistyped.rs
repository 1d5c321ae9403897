//! Variables of the environment that look like ours and are not: a mistyped name has no effect, and nobody would
//! notice.
//!
//! Others may use names that begin with PHICACHE_, such as PHICACHE_HOME of a module system. So a name counts as
//! mistyped only if it is close to one that is read, if it says the same in other words, or if it is the name of an
//! option or setting that has no variable.

use std::ffi::OsString;

use super::variable;

/// What a variable without effect was probably meant to be.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub enum Meant {
    /// The variable of this name.
    Variable(&'static str),
    /// The option of a cache.
    Option(&'static str),
    /// The setting of a configuration that has no variable.
    Setting(&'static str),
}

/// The mistyped variables, each with what was probably meant.
pub fn of(names: impl Iterator<Item = OsString>, known: &[&'static str]) -> Vec<(String, Meant)> {
    let names = names.filter_map(|name| name.into_string().ok());
    let mut found: Vec<_> = names.filter_map(|name| Some((meant(&name, known)?, name))).collect();
    found.sort_unstable();
    found.into_iter().map(|(meant, name)| (name, meant)).collect()
}

/// A line about them; empty if all are right.
pub fn message(found: &[(String, Meant)]) -> String {
    let hint = |(name, meant): &(String, Meant)| match meant {
        Meant::Variable(known) => format!("{name} (did you mean {known}?)"),
        Meant::Option(option) => format!("{name} ({option} is an option of a cache: the program sets it)"),
        Meant::Setting(setting) => {
            format!("{name} (only a program sets this: phicache_config_set_{setting})")
        }
    };
    let each: Vec<String> = found.iter().map(hint).collect();
    match each.is_empty() {
        true => String::new(),
        false => format!("the environment has variables that phicache does not know, and ignores: {}", each.join(", ")),
    }
}

const PREFIX: &str = "PHICACHE_";

/// Options of caches that have no variable. Left out are those with names that another program might use with our
/// prefix, such as PHICACHE_NAME.
const OPTIONS: [&str; 8] =
    ["lease_ms", "max_bytes", "near_bytes", "no_checksum", "server_errors", "storage_errors", "ttl_ms", "verify_every"];

/// Settings without a variable.
const SETTINGS: [&str; 1] = ["redis_whole_database"];

/// Other words for our variables. The URL contains what other programs have variables for, and PyPhi has the setting
/// `REDIS_CONN`. Left out is PHICACHE_REDIS_PORT, which Kubernetes sets for a service of that name.
const OTHER_WORDS: [(&str, &[&str]); 4] = [
    (variable::REDIS_URL, &["REDIS_ADDRESS", "REDIS_CONN", "REDIS_DATABASE", "REDIS_DB", "REDIS_HOST", "REDIS_SOCKET"]),
    (
        variable::DISK_DIRECTORY,
        &[
            "CACHE_DIR",
            "CACHE_DIRECTORY",
            "CACHE_FOLDER",
            "CACHE_PATH",
            "DISK_CACHE",
            "DISK_CACHE_DIR",
            "DISK_CACHE_DIRECTORY",
            "DISK_CACHE_PATH",
            "DISK_FOLDER",
            "DISK_PATH",
        ],
    ),
    (variable::MAXIMUM_MEMORY, &["MAX_PERCENT", "MEMORY_LIMIT", "MEMORY_PERCENT"]),
    (variable::ON_FULL, &["IF_FULL", "WHEN_FULL"]),
];

/// The option or the known name that an unknown one is close to.
fn meant(name: &str, known: &[&'static str]) -> Option<Meant> {
    // Of a long name only the beginning can matter: known ones are shorter.
    let upper: String = name.chars().take(80).collect::<String>().to_ascii_uppercase();
    let own = upper.strip_prefix(PREFIX).filter(|_| !known.contains(&name))?;
    let bare = own.strip_prefix("DISK_").or(own.strip_prefix("REDIS_")).unwrap_or(own);
    if let Some(option) = OPTIONS.into_iter().find(|option| option.eq_ignore_ascii_case(bare)) {
        return Some(Meant::Option(option));
    }
    if let Some(setting) = SETTINGS.into_iter().find(|setting| setting.eq_ignore_ascii_case(own)) {
        return Some(Meant::Setting(setting));
    }
    if let Some((meant, _)) = OTHER_WORDS.into_iter().find(|(_, words)| words.contains(&own)) {
        return Some(Meant::Variable(meant));
    }
    let near = known.iter().filter_map(|known| Some((distance(own, known.strip_prefix(PREFIX)?)?, *known)));
    near.min().map(|(_, known)| Meant::Variable(known))
}

/// The number of letters to change, add or remove, if it is small for words of this length, or if one is a part of the
/// other or has its words shortened.
fn distance(one: &str, other: &str) -> Option<usize> {
    const PART: usize = 5;
    let letters: Vec<char> = other.chars().collect();
    let mut last: Vec<usize> = (0..=letters.len()).collect();
    for (row, letter) in one.chars().enumerate() {
        let mut next = vec![row + 1];
        for (column, other) in letters.iter().enumerate() {
            let changed = last[column] + usize::from(letter != *other);
            next.push(changed.min(last[column + 1] + 1).min(next[column] + 1));
        }
        last = next;
    }
    let distance = last[letters.len()];
    let is_part = one.len().min(other.len()) >= PART && (one.contains(other) || other.contains(one));
    let is_short = || abbreviates(&one.replace('_', ""), &other.split('_').collect::<Vec<_>>(), 0);
    (is_part || distance <= one.len().max(other.len()) / 4 || is_short()).then_some(distance)
}

/// Whether a text consists of the beginnings of words, in their order, of two or more with those `before`: DISKDIR and
/// MAXMEMORY do. One word could be anybody's.
fn abbreviates(text: &str, words: &[&str], before: usize) -> bool {
    const LEAST: usize = 3;
    if text.is_empty() {
        return before >= 2;
    }
    words.iter().enumerate().any(|(at, word)| {
        let common = text.bytes().zip(word.bytes()).take_while(|(one, other)| one == other).count();
        (LEAST.min(word.len())..=common).any(|len| abbreviates(&text[len..], &words[at + 1..], before + 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message_for(name: &str) -> String {
        message(&of([name.into()].into_iter(), &variable::ALL))
    }

    #[test]
    fn a_name_that_is_nearly_one_of_ours_is_mistyped() {
        for (name, meant) in [
            ("PHICACHE_ON_FUL", variable::ON_FULL),
            ("PHICACHE_ONFULL", variable::ON_FULL),
            ("phicache_on_full", variable::ON_FULL),
            ("PHICACHE_REDIS_URI", variable::REDIS_URL),
            ("PHICACHE_REDIS_HOST", variable::REDIS_URL),
            ("phicache_redis_conn", variable::REDIS_URL),
            ("PHICACHE_REDIS_TIMEOUT", variable::REDIS_TIMEOUT),
            ("PHICACHE_REDIS_PASSWD", variable::REDIS_PASSWORD),
            ("PHICACHE_DISK_DIR", variable::DISK_DIRECTORY),
            ("PHICACHE_DISKDIR", variable::DISK_DIRECTORY),
            ("PHICACHE_DISKDIRECTORY", variable::DISK_DIRECTORY),
            ("PHICACHE_MAX_MEMORY", variable::MAXIMUM_MEMORY),
            ("PHICACHE_MAX_CACHE_MEM", variable::MAXIMUM_MEMORY),
            ("PHICACHE_MAXPERCENT", variable::MAXIMUM_MEMORY),
            ("PHICACHE_REDIS_TIME", variable::REDIS_TIMEOUT),
            ("PHICACHE_REDIS_PASS", variable::REDIS_PASSWORD),
            ("PHICACHE_CACHE_REP", variable::REPERTOIRES),
            ("PHICACHE_MAXIMUM_MEMORY_PERCENTAGE", variable::MAXIMUM_MEMORY),
            ("PHICACHE_MEMORY_PERCENTAGE", variable::MAXIMUM_MEMORY),
            ("PHICACHE_CACHE_REPERTOIRE", variable::REPERTOIRES),
            ("PHICACHE_POTENTIAL_PURVIEWS", variable::PURVIEWS),
            ("PHICACHE_CACHE_DIR", variable::DISK_DIRECTORY),
            ("PHICACHE_DISK_CACHE", variable::DISK_DIRECTORY),
            ("PHICACHE_DISK_PATH", variable::DISK_DIRECTORY),
            ("phicache_memory_limit", variable::MAXIMUM_MEMORY),
            ("PHICACHE_WHEN_FULL", variable::ON_FULL),
        ] {
            assert!(message_for(name).contains(&format!("{name} (did you mean {meant}?)")), "{name}");
        }
    }

    #[test]
    fn a_name_of_an_option_or_setting_is_mistyped() {
        for (name, option) in [
            ("PHICACHE_MAX_BYTES", "max_bytes"),
            ("phicache_lease_ms", "lease_ms"),
            ("PHICACHE_DISK_MAX_BYTES", "max_bytes"),
            ("PHICACHE_REDIS_TTL_MS", "ttl_ms"),
        ] {
            assert!(message_for(name).contains(&format!("{name} ({option} is an option of a cache")), "{name}");
        }
        let message = message_for("PHICACHE_REDIS_WHOLE_DATABASE");
        assert!(message.ends_with("(only a program sets this: phicache_config_set_redis_whole_database)"), "{message}");
    }

    #[test]
    fn names_of_ours_and_of_others_are_not() {
        for name in variable::ALL {
            assert_eq!(message_for(name), "");
        }
        // Of the Julia package, module systems, build systems, tests.
        for name in ["LIBRARY", "HOME", "ROOT", "DIR", "INC", "LIB", "VERSION", "CARGO", "JULIA", "REDIS_SERVER"] {
            assert_eq!(message_for(&format!("PHICACHE_{name}")), "", "{name}");
        }
        // Words of ours with others, or one of ours.
        for name in ["MAX_THREADS", "MAX", "DISK", "DISK_FAULTS", "REDIS_ROUNDS", "REDIS_PORT", "DIR_DISK", "ON", "CA"]
        {
            assert_eq!(message_for(&format!("PHICACHE_{name}")), "", "{name}");
        }
        for name in ["", "PHICACHE", "PHICACHE_", "ON_FUL", "MY_PHICACHE_ON_FUL"] {
            assert_eq!(message_for(name), "", "{name}");
        }
        assert_eq!(message_for(&format!("PHICACHE_{}", "é".repeat(100_000))), "");
        assert_eq!(message_for(&format!("PHICACHE_DISKDIRé{}", "DIS".repeat(100_000))), "");
    }
}
