//! No panic crosses the border: every exported function runs inside [`catch_panics`], which turns errors into statuses
//! and keeps this thread's last message, or inside [`catch_panics_infallible`] if it returns no status.

use std::any::Any;
use std::ffi::c_char;
use std::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, Ordering};

use crate::epoch::{MESSAGE, message};
use crate::error::{Error, Result};
use crate::ffi::border::types::*;

/// Runs the body of an exported function.
#[inline(always)]
pub(in crate::ffi) fn catch_panics(
    function: &'static str,
    body: impl FnOnce() -> Result<phicache_status>,
) -> phicache_status {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => failed(function, &error),
        Err(panic) => panicked(function, &*panic),
    }
}

/// Runs the body of an exported function that returns no status; it returns `fallback` if the library panics.
#[inline(always)]
pub(in crate::ffi) fn catch_panics_infallible<T>(function: &'static str, fallback: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        panicked(function, &*panic);
        fallback
    })
}

#[cold]
fn failed(function: &str, error: &Error) -> phicache_status {
    set_last_error(format_args!("{function}: {error}"));
    status_of(error)
}

/// The status of an error.
pub(in crate::ffi) fn status_of(error: &Error) -> phicache_status {
    match error {
        Error::InvalidArgument(_) => PHICACHE_ERROR_INVALID_ARGUMENT,
        Error::InvalidHandle(_) => PHICACHE_ERROR_INVALID_HANDLE,
        Error::Callback(_) => PHICACHE_ERROR_CALLBACK,
        Error::Recursion(_) => PHICACHE_ERROR_RECURSION,
        Error::BufferTooSmall { .. } => PHICACHE_ERROR_BUFFER_TOO_SMALL,
        Error::OutOfMemory(_) => PHICACHE_ERROR_OUT_OF_MEMORY,
        Error::Unsupported(_) => PHICACHE_ERROR_UNSUPPORTED,
        Error::Configuration(_) => PHICACHE_ERROR_CONFIGURATION,
        Error::NameInUse(_) => PHICACHE_ERROR_NAME_IN_USE,
        Error::Damaged(_) => PHICACHE_ERROR_DAMAGED,
        Error::Redis(_) => PHICACHE_ERROR_REDIS,
        Error::Storage(_) => PHICACHE_ERROR_STORAGE,
    }
}

#[cold]
fn panicked(function: &str, panic: &(dyn Any + Send)) -> phicache_status {
    // The payload of a literal message is a &str, that of a formatted one a String.
    let formatted = || panic.downcast_ref::<String>().map(String::as_str);
    let message = panic.downcast_ref::<&str>().copied().or_else(formatted).unwrap_or("no message");
    set_last_error(format_args!("{function}: the library panicked: {message}"));
    PHICACHE_ERROR_PANIC
}

fn set_last_error(text: fmt::Arguments<'_>) {
    let Some(buffer) = message(true) else { return };
    let mut writer = MessageWriter { buffer, len: 0 };
    let _ = writer.write_fmt(text);
    buffer[writer.len].store(0, Ordering::Relaxed);
}

/// The last message of this thread, NUL-terminated.
pub(in crate::ffi) fn last_error() -> *const c_char {
    message(false).map_or(c"".as_ptr(), |message| message.as_ptr().cast())
}

/// Writes until the buffer is full, and cuts between characters.
struct MessageWriter<'b> {
    buffer: &'b [AtomicU8; MESSAGE],
    len: usize,
}

impl Write for MessageWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MESSAGE - 1 - self.len;
        let mut take = text.len().min(room);
        while !text.is_char_boundary(take) {
            take -= 1;
        }
        // A NUL inside a message would end it for C.
        for (to, from) in self.buffer[self.len..].iter().zip(&text.as_bytes()[..take]) {
            to.store(if *from == 0 { b'?' } else { *from }, Ordering::Relaxed);
        }
        self.len += take;
        if take < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> String {
        // SAFETY: the buffer always ends in a NUL.
        unsafe { std::ffi::CStr::from_ptr(last_error()) }.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_panic_becomes_a_status_and_its_message_is_kept() {
        let status = catch_panics("phicache_f", || panic!("on purpose"));
        assert_eq!(
            (status, message().as_str()),
            (PHICACHE_ERROR_PANIC, "phicache_f: the library panicked: on purpose")
        );
        assert_eq!(catch_panics_infallible("phicache_g", 7, || panic!("also on purpose")), 7);
        assert_eq!(message(), "phicache_g: the library panicked: also on purpose");
    }

    #[test]
    fn a_formatted_panic_keeps_its_message_too() {
        let at = std::hint::black_box(7);
        catch_panics("phicache_f", || panic!("index {at} of 5"));
        assert_eq!(message(), "phicache_f: the library panicked: index 7 of 5");
        let two = std::hint::black_box(2);
        catch_panics_infallible("phicache_g", (), || assert_eq!(1, two, "counts"));
        assert!(message().starts_with("phicache_g: the library panicked: assertion"), "{}", message());
        catch_panics("phicache_h", || std::panic::panic_any(7));
        assert_eq!(message(), "phicache_h: the library panicked: no message");
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        catch_panics("phicache_f", || Err(Error::invalid("φ".repeat(1000))));
        let message = message();
        assert!(message.len() >= MESSAGE - 2 && message.ends_with('φ'), "{message}");
        catch_panics("phicache_f", || Err(Error::invalid("a\0b")));
        assert_eq!(super::tests::message(), "phicache_f: a?b");
    }
}
