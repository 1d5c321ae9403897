# A panic inside the installed library, loaded by Julia, is a status: panic.jl LIBRARY
using Libdl

library = dlopen(ARGS[1])
panic = dlsym(library, :phicache_test_panic)
name = dlsym(library, :phicache_status_name)
for _ in 1:3
    status = ccall(panic, Int32, ())
    status == -9 || error("the status is ", status)
    GC.gc()
end
unsafe_string(ccall(name, Cstring, (Int32,), -9)) == "ERROR_PANIC" || error("it has another name")
# Julia's own exceptions still work.
(() -> try error("x") catch; end)()
println("the process lives")
