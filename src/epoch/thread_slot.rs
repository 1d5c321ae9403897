//! One untyped pointer for each thread, and a function that runs when the thread ends. `threads.rs` uses it.
//!
//! The function is the destructor of a pthread key, not of a Rust thread-local. glibc destroys Rust's thread-locals
//! first, so a thread whose first call comes from the destructor of another key would never be cleaned up.

pub(super) use exit::at_thread_exit;
pub(super) use pointer::{get, set};

/// The pointer after the thread has run its function, or has destroyed its thread-locals.
pub(super) const LEFT: *const () = std::ptr::without_provenance(1);

/// A number that no other running thread has.
#[cfg(not(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64")))]
pub(super) fn address() -> u64 {
    // SAFETY: always safe to call.
    unsafe { libc::pthread_self() as u64 }
}

/// A number that no other running thread has: what `pthread_self` returns, without the call. The first word at the
/// thread pointer is its own address.
#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
#[inline(always)]
pub(super) fn address() -> u64 {
    let address: u64;
    // SAFETY: reads a word that the ABI defines, and that never changes while the thread runs.
    unsafe {
        std::arch::asm!(
            "movq %fs:0, {address}",
            address = out(reg) address,
            options(att_syntax, pure, readonly, nostack, preserves_flags)
        );
    }
    address
}

#[cfg(not(shuttle))]
mod exit {
    use crate::sync::atomic::{AtomicU64, Ordering};

    /// The pthread key, plus one; 0 until it is made.
    static KEY: AtomicU64 = AtomicU64::new(0);

    /// Has `leave` run with `value`, which is not null, when this thread ends; false if the system refuses. `leave`
    /// must be the same function in each call.
    pub(in crate::epoch) fn at_thread_exit(value: *const (), leave: unsafe extern "C" fn(*mut libc::c_void)) -> bool {
        // SAFETY: the key exists; its destructor takes such values.
        key(leave).is_some_and(|key| unsafe { libc::pthread_setspecific(key, value.cast()) } == 0)
    }

    fn key(leave: unsafe extern "C" fn(*mut libc::c_void)) -> Option<libc::pthread_key_t> {
        let known = KEY.load(Ordering::Acquire);
        if known != 0 {
            return Some((known - 1) as libc::pthread_key_t);
        }
        let mut key = 0;
        // SAFETY: writes to `key`; the destructor is never unloaded.
        if unsafe { libc::pthread_key_create(&mut key, Some(leave)) } != 0 {
            return None;
        }
        stay_loaded(leave as *const libc::c_void);
        match KEY.compare_exchange(0, u64::from(key) + 1, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Some(key),
            Err(first) => {
                // SAFETY: the key was just made, and no other thread knows it.
                unsafe { libc::pthread_key_delete(key) };
                Some((first - 1) as libc::pthread_key_t)
            }
        }
    }

    /// Keeps the shared object that contains `code` loaded. The shared library is linked with that flag; a plugin that
    /// is linked with the archive may not be.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn stay_loaded(code: *const libc::c_void) {
        type Open = unsafe extern "C" fn(*const libc::c_char, libc::c_int) -> *mut libc::c_void;
        let mut found = std::mem::MaybeUninit::<libc::Dl_info>::uninit();
        // SAFETY: `dladdr` writes to `found`, which is read only if it succeeded. `dlopen` has this type, and
        // RTLD_NOLOAD opens nothing new. It is found by name because linkers warn about it in static programs.
        unsafe {
            if libc::dladdr(code, found.as_mut_ptr()) == 0 {
                return;
            }
            let open = libc::dlsym(libc::RTLD_DEFAULT, c"dlopen".as_ptr());
            if !open.is_null() {
                let open = std::mem::transmute::<*mut libc::c_void, Open>(open);
                let flags = libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
                open(found.assume_init().dli_fname, flags);
            }
        }
    }

    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    fn stay_loaded(_code: *const libc::c_void) {}
}

/// The model checker has threads of its own and runs the destructors of their thread-locals.
#[cfg(shuttle)]
mod exit {
    use std::cell::Cell;
    use std::ptr;

    type Leave = unsafe extern "C" fn(*mut libc::c_void);

    struct Exit(Cell<(*const (), Option<Leave>)>);

    impl Drop for Exit {
        fn drop(&mut self) {
            if let (value, Some(leave)) = self.0.get() {
                // SAFETY: it is what `at_thread_exit` was given.
                unsafe { leave(value.cast_mut().cast()) };
            }
        }
    }

    shuttle::thread_local!(static EXIT: Exit = Exit(Cell::new((ptr::null(), None))));

    pub(in crate::epoch) fn at_thread_exit(value: *const (), leave: Leave) -> bool {
        EXIT.try_with(|exit| exit.0.set((value, Some(leave)))).is_ok()
    }
}

/// A shared library accesses its thread-locals by a call. Stable Rust cannot choose the TLS model, so these eight bytes
/// are declared in assembly and accessed through a TLS descriptor: a call of three instructions that preserves all
/// registers but one. (The model "initial exec" needs no call, but it would put all thread-locals of the library and
/// of the standard library into a small reserve of the loader; when that is used up, the next plugin fails to load.)
#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64", not(shuttle)))]
mod pointer {
    use std::arch::{asm, global_asm};

    global_asm!(
        ".pushsection .tbss.phicache_thread_slot,\"awT\",@nobits",
        ".balign 8",
        ".globl _phicache_0_2_thread_slot",
        ".hidden _phicache_0_2_thread_slot",
        ".type _phicache_0_2_thread_slot, @object",
        ".size _phicache_0_2_thread_slot, 8",
        "_phicache_0_2_thread_slot:",
        ".zero 8",
        ".popsection",
    );

    /// Reads or writes the eight bytes. After the call, rax is their offset from the thread pointer. The descriptor's
    /// function preserves all other integer registers. glibc before 2.40 may change vector registers when it first
    /// allocates a thread's storage, so all of them are clobbered.
    macro_rules! with_offset {
        ($access:literal, $operand:ident = $kind:ident($class:tt) $value:expr, $($option:ident),*) => {
            asm!(
                "leaq _phicache_0_2_thread_slot@TLSDESC(%rip), %rax",
                "callq *_phicache_0_2_thread_slot@TLSCALL(%rax)",
                $access,
                $operand = $kind($class) $value,
                out("rax") _,
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                out("xmm16") _, out("xmm17") _, out("xmm18") _, out("xmm19") _,
                out("xmm20") _, out("xmm21") _, out("xmm22") _, out("xmm23") _,
                out("xmm24") _, out("xmm25") _, out("xmm26") _, out("xmm27") _,
                out("xmm28") _, out("xmm29") _, out("xmm30") _, out("xmm31") _,
                out("k1") _, out("k2") _, out("k3") _, out("k4") _,
                out("k5") _, out("k6") _, out("k7") _,
                options(att_syntax $(, $option)*),
            )
        };
    }

    /// This thread's pointer; null at first.
    #[inline(always)]
    pub(in crate::epoch) fn get() -> *const () {
        let pointer: *const ();
        // SAFETY: reads the eight bytes above, which are this thread's own.
        unsafe { with_offset!("movq %fs:(%rax), {pointer}", pointer = out(reg) pointer, pure, readonly) };
        pointer
    }

    /// Sets this thread's pointer.
    pub(in crate::epoch) fn set(pointer: *const ()) {
        // SAFETY: writes the eight bytes above, which are this thread's own.
        unsafe { with_offset!("movq {pointer}, %fs:(%rax)", pointer = in(reg) pointer,) };
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64", not(shuttle))))]
mod pointer {
    use std::cell::Cell;

    #[cfg(not(shuttle))]
    thread_local!(static POINTER: Cell<*const ()> = const { Cell::new(std::ptr::null()) });
    #[cfg(shuttle)]
    shuttle::thread_local!(static POINTER: Cell<*const ()> = Cell::new(std::ptr::null()));

    /// This thread's pointer; null at first.
    #[inline(always)]
    pub(in crate::epoch) fn get() -> *const () {
        POINTER.try_with(Cell::get).unwrap_or(super::LEFT)
    }

    /// Sets this thread's pointer.
    pub(in crate::epoch) fn set(pointer: *const ()) {
        let _ = POINTER.try_with(|own| own.set(pointer));
    }
}
