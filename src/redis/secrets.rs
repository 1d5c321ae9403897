//! Which of a server's words may be repeated: none that contain a part of our password, however it was cut or escaped.
//!
//! A server may send back what it received, whole or cut, quoted or encoded. Replacing only the password by stars would
//! show where the rest is, and known words around it would reveal it. So a text that shares a run of three bytes with
//! the password, or with one of its usual encodings, is not repeated at all, except for its code, if that is one of
//! Redis's. The bytes are searched as they arrived, before anything is cut, decoded or escaped.

use std::collections::{BTreeMap, HashSet};

use super::endpoint::Endpoint;
use super::failure::{advice, one_line};

/// Replaces words that are not repeated.
const STARS: &str = "***";

/// The lengths of the runs that give the password away: in a text, and in the name of a host, which often resembles it.
const RUNS: (usize, usize) = (3, 8);

/// The most bytes shown of something that is not a reply.
const SHOWN: usize = 32;

/// The secrets of an endpoint.
pub struct Secrets {
    words: Runs,
    names: Runs,
    user: Option<String>,
}

impl Secrets {
    /// The secrets of `endpoint`.
    pub fn of(endpoint: &Endpoint) -> Self {
        let forms = endpoint.password.as_ref().map(|password| forms(password.reveal().as_bytes())).unwrap_or_default();
        let user = endpoint.user.clone().filter(|user| !user.is_empty());
        Secrets { words: Runs::of(&forms, RUNS.0), names: Runs::of(&forms, RUNS.1), user }
    }

    /// A server's text, fit for one line of a message. `code` is its first word, if that is a code.
    pub fn text(&self, code: &str, text: &str) -> String {
        if !self.words.are_in(text.as_bytes()) {
            return one_line(&self.without_user(text));
        }
        match self.code(code) {
            "" => STARS.into(),
            code => format!("{code} {STARS}"),
        }
    }

    /// The code of a refusal, unchanged if it is one of Redis's; any other code must not contain a part of the
    /// password.
    pub fn code<'c>(&self, code: &'c str) -> &'c str {
        match advice(code).is_some() || !self.words.are_in(code.as_bytes()) {
            true => code,
            false => "",
        }
    }

    /// The beginning of bytes that are not a reply.
    pub fn excerpt(&self, bytes: &[u8]) -> String {
        match self.words.are_in(bytes) {
            true => STARS.into(),
            false => bytes[..bytes.len().min(SHOWN)].escape_ascii().to_string(),
        }
    }

    /// The name of a host, as a server gave it.
    pub fn name(&self, name: &str) -> String {
        match self.names.are_in(name.as_bytes()) {
            true => STARS.into(),
            false => one_line(name),
        }
    }

    /// The user's name is not secret, unless it serves as the password.
    fn without_user(&self, text: &str) -> String {
        let Some(user) = &self.user else { return text.to_owned() };
        let is_part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let (mut clean, mut rest) = (String::new(), text);
        while let Some(at) = rest.find(user.as_str()) {
            let (before, behind) = (&rest[..at], &rest[at + user.len()..]);
            clean.push_str(before);
            match is_part(clean.chars().next_back()) || is_part(behind.chars().next()) {
                true => clean.push_str(user),
                false => clean.push_str(STARS),
            }
            rest = behind;
        }
        clean + rest
    }
}

/// A password, verbatim and in the forms in which it is quoted, encoded for a URL, or fitted into a line.
fn forms(password: &[u8]) -> Vec<Vec<u8>> {
    let encoded = |digits: &[u8; 16]| {
        let mut form = Vec::new();
        for &byte in password {
            match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                true => form.push(byte),
                false => {
                    form.extend([b'%', digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]);
                }
            }
        }
        form
    };
    let in_line = password.iter().map(|byte| if byte.is_ascii_control() { b' ' } else { *byte }).collect();
    let quoted = password.escape_ascii().collect();
    vec![password.to_vec(), encoded(b"0123456789ABCDEF"), encoded(b"0123456789abcdef"), quoted, in_line]
}

/// Runs of bytes to search for, by length.
struct Runs(BTreeMap<usize, HashSet<Box<[u8]>>>);

impl Runs {
    /// All runs of this length; a shorter text is one run.
    fn of(forms: &[Vec<u8>], len: usize) -> Self {
        let mut runs = BTreeMap::<usize, HashSet<Box<[u8]>>>::new();
        for form in forms.iter().filter(|form| !form.is_empty()) {
            let len = len.min(form.len());
            runs.entry(len).or_default().extend(form.windows(len).map(Box::from));
        }
        Runs(runs)
    }

    fn are_in(&self, text: &[u8]) -> bool {
        self.0.iter().any(|(len, runs)| text.windows(*len).any(|run| runs.contains(run)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The forms in which servers and libraries quote a text.
    fn echoes(password: &str) -> Vec<String> {
        let half = password.len() / 2;
        let half = password.floor_char_boundary(half.max(1).min(password.len()));
        vec![
            password.into(),
            format!("ERR unknown command 'AUTH', with args beginning with: 'me' '{password}'"),
            format!("ERR '{}", &password[..half]),
            format!("{}' ERR", &password[half..]),
            password.escape_default().to_string(),
            password.escape_debug().to_string(),
            password.as_bytes().escape_ascii().to_string(),
            password.replace(char::is_control, " "),
            password.bytes().map(|byte| format!("%{byte:02X}")).collect(),
        ]
    }

    #[test]
    fn no_part_of_a_password_is_repeated_in_any_escaped_form() {
        let long = "q7!Zk".repeat(1000);
        let hostile = [
            "s3cr3t-p4ssw0rd",
            "with \"quotes\" and 'more'",
            "two\nlines\r\nor three",
            "Zürich→鍵鍵鍵",
            "100%25 %",
            &long,
        ];
        for password in hostile {
            let url = format!("redis://me:{}@host", password.bytes().map(|b| format!("%{b:02x}")).collect::<String>());
            let secrets = Secrets::of(&Endpoint::parse(&url).unwrap());
            for echo in echoes(password) {
                // Half of a short password contains no run of the masked length.
                let shared = echo.as_bytes().windows(3).any(|run| {
                    forms(password.as_bytes()).iter().any(|form| form.windows(3).any(|secret| secret == run))
                });
                if !shared {
                    continue;
                }
                for told in [secrets.text("ERR", &echo), secrets.text(&echo, &echo), secrets.excerpt(echo.as_bytes())] {
                    assert!(told == STARS || told == "ERR ***", "{told:?} of {echo:?}");
                }
                assert_eq!(secrets.code(&echo), "");
            }
        }
    }

    #[test]
    fn a_short_password_is_masked_as_a_whole_and_an_empty_one_is_ignored() {
        let secrets = |login: &str| Secrets::of(&Endpoint::parse(&format!("redis://{login}host")).unwrap());
        assert_eq!(secrets(":ab@").text("ERR", "ERR xaby"), "ERR ***");
        assert_eq!(secrets(":ab@").text("ERR", "ERR a b"), "ERR a b");
        assert_eq!(secrets("").text("ERR", "ERR anything"), "ERR anything");
        assert_eq!(secrets(":secret@").code("WRONGPASS"), "WRONGPASS");
        // The code of a refusal is repeated even if the password resembles it.
        assert_eq!(secrets(":WRONGPASS@").text("WRONGPASS", "WRONGPASS it is"), "WRONGPASS ***");
        assert_eq!(secrets(":WRONGPASS@").text("PASS", "PASS it is"), "***");
    }

    #[test]
    fn a_host_that_resembles_the_password_is_shown_and_one_that_contains_it_is_masked() {
        let secrets = Secrets::of(&Endpoint::parse("redis://:redis-node-secret@host").unwrap());
        assert_eq!(secrets.name("redis-3.lab:7000"), "redis-3.lab:7000");
        assert_eq!(secrets.name("redis-node-s:7000"), "***");
    }

    #[test]
    fn the_name_of_the_user_is_masked_as_a_word() {
        let secrets = Secrets::of(&Endpoint::parse("redis://me:secret@host").unwrap());
        assert_eq!(secrets.text("NOPERM", "NOPERM User me has no name"), "NOPERM User *** has no name");
    }
}
