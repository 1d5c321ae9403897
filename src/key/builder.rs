//! An argument list that becomes a key: `f(1, "a", k=2)`.
//!
//! The builder keeps both encodings at once, typed and untyped, so that the user of the arguments, for example a memo,
//! can choose. A builder that is reset and used again does not allocate once its buffers have grown.

use std::mem;

use super::element::{Element, HEAD_MAX, KEYWORD, NAMED, SET, TUPLE, sized};
use super::encoding::{Buffer, Doubles, Encoding};
use crate::error::{Error, Result, try_owned};

/// The deepest nesting of tuples, sets and named types.
const DEPTH_MAX: usize = 64;

/// A keyword argument: the position of its name in both encodings, typed first.
#[derive(Clone, Copy)]
struct Keyword {
    start: [usize; 2],
    name_len: usize,
}

/// Builds the key of an argument list.
///
/// Positional arguments come first, then keyword arguments, in any order; a keyword may occur once. A call that fails
/// leaves the arguments unchanged. A caller that goes on would get the key of other arguments, so [`KeyBuilder::fail`]
/// makes every later key fail too.
pub struct KeyBuilder {
    encodings: [Encoding; 2],
    keywords: Vec<Keyword>,
    /// Whether there are neither keywords nor a failure.
    is_plain: bool,
    /// What was wrong with the first argument that could not be added.
    failure: Option<String>,
    /// Whether a keyword has no value yet.
    pending: bool,
    key: Buffer,
}

impl Default for KeyBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl KeyBuilder {
    /// An empty argument list. Allocates nothing.
    pub fn new() -> Self {
        KeyBuilder {
            encodings: [Encoding::new(true), Encoding::new(false)],
            keywords: Vec::new(),
            is_plain: true,
            failure: None,
            pending: false,
            key: Buffer::default(),
        }
    }

    /// Removes the arguments and keeps the memory.
    #[inline(always)]
    pub fn reset(&mut self) {
        self.encodings.iter_mut().for_each(Encoding::reset);
        self.keywords.clear();
        self.is_plain = true;
        self.failure = None;
        self.pending = false;
    }

    /// Notes that an argument could not be added: there is no key until the builder is reset.
    #[cold]
    pub fn fail(&mut self, error: &Error) {
        self.is_plain = false;
        if self.failure.is_none() {
            // Without memory for its text the failure still counts.
            self.failure = Some(try_owned(&error.to_string()).unwrap_or_default());
        }
    }

    /// Adds one argument, or one item of the tuple, set or named type that is open.
    pub fn add(&mut self, element: Element<'_>) -> Result<()> {
        if self.try_fast_add(element).is_some() {
            return Ok(());
        }
        if let Element::Direction(number @ 3..) = element {
            return Err(Error::invalid(format!(
                "direction {number}; expected 0 (cause), 1 (effect) or 2 (bidirectional)"
            )));
        }
        self.check_place()?;
        self.encodings.iter_mut().try_for_each(|encoding| encoding.reserve_for(element))?;
        self.encodings.iter_mut().for_each(|encoding| encoding.push(element));
        self.pending = false;
        Ok(())
    }

    /// Whether these bytes are in the builder's own memory, as a key is that it has made: adding them would move them.
    pub fn holds(&self, bytes: &[u8]) -> bool {
        self.key.holds(bytes) || self.encodings.iter().any(|encoding| encoding.bytes.holds(bytes))
    }

    /// As [`KeyBuilder::add`], on the fast path: a positional argument outside of tuples and sets, for which there is
    /// room. In any other case `None`, and nothing is added.
    #[inline(always)]
    pub fn try_fast_add(&mut self, element: Element<'_>) -> Option<()> {
        let len = match element {
            Element::Bytes(bytes) => bytes.len(),
            Element::String(text) => text.len(),
            Element::Direction(3..) => return None,
            _ => 0,
        };
        let [typed, untyped] = &mut self.encodings;
        if !typed.has_room(len) || !untyped.has_room(len) || !self.is_plain {
            return None;
        }
        typed.append(element.parts(true));
        untyped.append(element.parts(false));
        Some(())
    }

    /// Begins a tuple: everything that is added until `end_tuple` is one of its items.
    pub fn begin_tuple(&mut self) -> Result<()> {
        self.begin(TUPLE)
    }

    /// Ends the tuple.
    pub fn end_tuple(&mut self) -> Result<()> {
        self.end(TUPLE)
    }

    /// Adds an array of doubles, such as a repertoire, as one element. Its numbers stay doubles in both encodings.
    pub fn add_doubles(&mut self, values: &[f64]) -> Result<()> {
        self.check_place()?;
        self.encodings.iter_mut().try_for_each(|encoding| encoding.reserve(5 + size_of_val(values)))?;
        let values = Doubles::new(values);
        self.encodings.iter_mut().for_each(|encoding| encoding.push_doubles(values));
        self.pending = false;
        Ok(())
    }

    /// Adds a tuple of integers, at once.
    pub fn add_ints(&mut self, values: &[i64]) -> Result<()> {
        self.check_place()?;
        self.check_depth()?;
        let len = 5 + values.len().saturating_mul(HEAD_MAX);
        self.encodings.iter_mut().try_for_each(|encoding| encoding.reserve(len))?;
        self.encodings.iter_mut().for_each(|encoding| encoding.push_ints(values));
        self.pending = false;
        Ok(())
    }

    /// As [`KeyBuilder::add_doubles`], on the fast path, like [`KeyBuilder::try_fast_add`].
    #[inline(always)]
    pub fn try_fast_add_doubles(&mut self, values: &[f64]) -> Option<()> {
        let [typed, untyped] = &mut self.encodings;
        let len = size_of_val(values);
        if !typed.has_room(len) || !untyped.has_room(len) || !self.is_plain {
            return None;
        }
        let start = typed.bytes.len();
        typed.push_doubles(Doubles::new(values));
        // The bytes of an array do not depend on the encoding.
        untyped.push_raw(&typed.bytes[start..]);
        Some(())
    }

    /// Begins a named type, such as an enum or a struct: the one element that is added until `end_named` is its value.
    pub fn begin_named(&mut self, name: &str) -> Result<()> {
        self.check_place()?;
        self.check_depth()?;
        self.encodings.iter_mut().try_for_each(|encoding| encoding.reserve(5 + name.len()))?;
        self.encodings.iter_mut().for_each(|encoding| encoding.begin_named(name));
        self.pending = false;
        Ok(())
    }

    /// Ends the named type, which must have its element.
    pub fn end_named(&mut self) -> Result<()> {
        match self.encodings[0].named_items() {
            Some(0) => Err(Error::invalid("end of a named type without an element; add one first")),
            _ => self.end(NAMED),
        }
    }

    /// Begins a set: its items are unordered, and equal ones count once.
    pub fn begin_set(&mut self) -> Result<()> {
        self.begin(SET)
    }

    /// Ends the set.
    pub fn end_set(&mut self) -> Result<()> {
        self.end(SET)
    }

    /// Names the argument that is added next.
    pub fn add_keyword(&mut self, name: &str) -> Result<()> {
        if self.encodings[0].depth() > 0 {
            return Err(Error::invalid(format!(
                "keyword \"{name}\" inside a tuple, set or named type; only arguments have names"
            )));
        }
        if self.pending {
            return Err(Error::invalid(format!(
                "keyword \"{name}\" follows a keyword without a value; add that value first"
            )));
        }
        if self.keywords.iter().any(|keyword| self.name(keyword) == name.as_bytes()) {
            return Err(Error::invalid(format!("keyword \"{name}\" is repeated; each name may occur once")));
        }
        self.keywords.try_reserve(1).map_err(|_| Error::OutOfMemory(size_of::<Keyword>()))?;
        self.encodings.iter_mut().try_for_each(|encoding| encoding.reserve(5 + name.len()))?;
        let start = [self.encodings[0].bytes.len(), self.encodings[1].bytes.len()];
        self.keywords.push(Keyword { start, name_len: name.len() });
        for encoding in &mut self.encodings {
            encoding.push_raw(&sized(KEYWORD, name.len()));
            encoding.push_raw(name.as_bytes());
        }
        (self.is_plain, self.pending) = (false, true);
        Ok(())
    }

    /// The key of the arguments so far.
    pub fn key(&mut self, typed: bool) -> Result<&[u8]> {
        self.finish(typed, None)
    }

    /// The key of the arguments behind a prefix: one more argument at the front; no prefix is the argument `None`.
    pub fn key_with_prefix(&mut self, typed: bool, prefix: Option<&str>) -> Result<&[u8]> {
        self.finish(typed, Some(prefix.map_or(Element::None, Element::String)))
    }

    /// As [`KeyBuilder::key`], on the fast path: there are arguments, none has a name, and nothing is open. Otherwise
    /// `None`.
    #[inline(always)]
    pub fn try_fast_key(&self, typed: bool) -> Option<&[u8]> {
        let encoding = &self.encodings[usize::from(!typed)];
        let whole = !encoding.bytes.is_empty() && encoding.depth() == 0 && self.is_plain;
        whole.then_some(&encoding.bytes)
    }

    /// As [`KeyBuilder::key_with_prefix`], on the fast path. `head` is the key of the prefix without arguments.
    #[inline(always)]
    pub fn try_fast_key_behind(&mut self, typed: bool, head: &[u8]) -> Option<&[u8]> {
        let mut key = mem::take(&mut self.key);
        let arguments = self.try_fast_key(typed).and_then(|key| key.get(1..));
        key.truncate(0);
        let fits = arguments.filter(|arguments| key.free() >= head.len() + arguments.len());
        if let Some(arguments) = fits {
            key.put(head);
            key.put(arguments);
        }
        let made = fits.is_some();
        self.key = key;
        made.then_some(&self.key)
    }

    fn begin(&mut self, tag: u8) -> Result<()> {
        self.check_place()?;
        self.check_depth()?;
        self.encodings.iter_mut().try_for_each(|encoding| encoding.reserve(5))?;
        self.encodings.iter_mut().for_each(|encoding| encoding.begin(tag));
        self.pending = false;
        Ok(())
    }

    fn end(&mut self, tag: u8) -> Result<()> {
        if !self.encodings[0].is_open(tag) {
            let what = match tag {
                TUPLE => "tuple",
                SET => "set",
                _ => "named type",
            };
            return Err(Error::invalid(format!("end of a {what}, which is not the innermost open element")));
        }
        self.encodings.iter_mut().try_for_each(Encoding::reserve_end)?;
        self.encodings.iter_mut().for_each(Encoding::end);
        Ok(())
    }

    fn check_place(&self) -> Result<()> {
        if self.encodings[0].depth() == 0 && !self.keywords.is_empty() && !self.pending {
            return Err(Error::invalid("a positional argument after a keyword argument; add positional ones first"));
        }
        if self.encodings[0].named_items() == Some(1) {
            return Err(Error::invalid("a second element in a named type; put several into a tuple"));
        }
        Ok(())
    }

    fn check_depth(&self) -> Result<()> {
        match self.encodings[0].depth() {
            DEPTH_MAX => Err(Error::invalid(format!(
                "tuples, sets and named types nest at most {DEPTH_MAX} deep; add the items of a list or tree one after \
                 the other, and not each within the one before"
            ))),
            _ => Ok(()),
        }
    }

    fn name(&self, keyword: &Keyword) -> &[u8] {
        let start = keyword.start[0] + 5;
        &self.encodings[0].bytes[start..start + keyword.name_len]
    }

    fn finish(&mut self, typed: bool, prefix: Option<Element<'_>>) -> Result<&[u8]> {
        if let Some(failure) = &self.failure {
            return Err(Error::invalid(format!(
                "an argument could not be added: {failure}; reset the builder, and add all arguments again"
            )));
        }
        if self.pending {
            return Err(Error::invalid("the last keyword has no value; add one"));
        }
        if self.encodings[0].depth() > 0 {
            return Err(Error::invalid(format!(
                "{} tuples, sets or named types are open; end them first",
                self.encodings[0].depth()
            )));
        }
        let which = usize::from(!typed);
        self.encodings[which].reserve(0)?;
        let bytes = &self.encodings[which].bytes;
        let prefix = prefix.map(|prefix| prefix.parts(typed));
        let prefix = prefix.as_ref().map_or((&[][..], &[][..]), |(head, rest)| (&head.bytes[..head.len], *rest));
        self.key.truncate(0);
        self.key.reserve(prefix.0.len() + prefix.1.len() + bytes.len())?;
        let positional = self.keywords.first().map_or(bytes.len(), |keyword| keyword.start[which]);
        for piece in [&bytes[..1], prefix.0, prefix.1, &bytes[1..positional]] {
            self.key.put(piece);
        }
        // Keyword arguments are few: selecting the next name repeatedly is cheaper than sorting a copy.
        let mut last: Option<&[u8]> = None;
        for _ in 0..self.keywords.len() {
            let later = |keyword: &&Keyword| last.is_none_or(|last| self.name(keyword) > last);
            let Some(next) = self.keywords.iter().filter(later).min_by_key(|keyword| self.name(keyword)) else { break };
            let end = self.keywords.iter().map(|keyword| keyword.start[which]).find(|start| *start > next.start[which]);
            self.key.put(&bytes[next.start[which]..end.unwrap_or(bytes.len())]);
            last = Some(self.name(next));
        }
        Ok(&self.key)
    }
}
