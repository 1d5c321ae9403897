//! Turns random bytes into decisions: the next operation, its key, its value.

pub mod disk;

/// The bytes of one run, taken from the front. After the last byte every decision is 0.
pub struct Input<'d>(&'d [u8]);

impl<'d> Input<'d> {
    /// Begins with all of `data`.
    pub fn new(data: &'d [u8]) -> Self {
        Input(data)
    }

    /// Whether all bytes are taken.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Up to `len` bytes.
    pub fn bytes(&mut self, len: usize) -> &'d [u8] {
        let (taken, left) = self.0.split_at(len.min(self.0.len()));
        self.0 = left;
        taken
    }

    /// A number from 0 to 255.
    pub fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u8) -> u8 {
        self.byte() % end
    }

    /// Changes, inserts or removes some bytes of a file that is good.
    pub fn change(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..self.below(8) {
            if bytes.is_empty() {
                return;
            }
            let place = self.number() as usize % bytes.len();
            match self.below(3) {
                0 => bytes[place] ^= self.byte(),
                1 => drop(bytes.splice(place..place, self.bytes(8).iter().copied())),
                _ => drop(bytes.drain(place..(place + usize::from(self.below(32))).min(bytes.len()))),
            }
        }
    }

    /// Yes or no.
    pub fn flag(&mut self) -> bool {
        self.below(2) == 1
    }

    /// A 64-bit number: small, at the edge of a type, or any.
    pub fn number(&mut self) -> u64 {
        match self.byte() {
            small @ 0..=127 => small.into(),
            edge @ 128..=191 => (1u64 << (edge - 128)).wrapping_sub(u64::from(self.below(2))),
            inverse @ 192..=223 => !u64::from(inverse - 192),
            _ => self.bytes(8).iter().fold(0, |number, byte| number << 8 | u64::from(*byte)),
        }
    }

    /// A string of up to `len` bytes.
    pub fn text(&mut self, len: usize) -> String {
        String::from_utf8_lossy(self.bytes(len)).into_owned()
    }
}
