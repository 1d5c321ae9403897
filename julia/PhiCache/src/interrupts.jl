# Code that Ctrl-C must not interrupt.
#
# Ctrl-C throws an `InterruptException` wherever Julia allocates memory. Between the reservation of a computation and
# the `try` around it, that would leave a key that nobody can compute any more; between a pin and its release, memory
# that is never free again; within a change of a dictionary, a broken dictionary. There interrupts are deferred.
#
# Julia notes at the beginning of a `try` whether interrupts are deferred. It returns to that at the end, also for
# `catch` and `finally`. So code within a `try` may allow them, and an exception that the caller gets allows them.

@inline defer_interrupts() = Base.sigatomic_begin()
@inline allow_interrupts() = Base.sigatomic_end()

# This value, from where interrupts were deferred.
@inline allowing_interrupts(value) = (allow_interrupts(); value)

# Calls `f`, which changes what the lock protects.
changing(f, lock) = disable_sigint(() -> Base.lock(f, lock))
