use std::sync::mpsc;
use std::thread::{self, yield_now};
use std::time::{Duration, Instant};

use super::super::flight::{StorePermit, Wait};
use super::super::waits::Waits;
use super::*;
use crate::epoch::register;
use crate::sync::forked;

#[derive(Clone, Debug, PartialEq)]
struct Value(&'static str);

impl Product for Value {
    fn waits() -> &'static Waits<Flight> {
        static WAITS: Waits<Flight> = Waits::new();
        &WAITS
    }
}

type Flights = super::Flights<Value>;
type Flight = super::Flight<Value>;

/// The hash of every key here.
const HASH: u64 = 7;

const LONG: Option<Duration> = Some(Duration::from_secs(60));

fn cost(flight: &Flight) -> Duration {
    Duration::from_nanos(flight.cost(crate::epoch::current()))
}

fn task(number: u64) -> Owner {
    Owner::from_number(number).unwrap()
}

fn begin(flights: &Flights, key: &[u8], owner: u64) -> Begin<(), Value> {
    flights.begin(key, HASH, task(owner), || None).unwrap()
}

fn lease(flights: &Flights, key: &[u8], owner: u64) -> TryArc<Flight> {
    match begin(flights, key, owner) {
        Begin::Lease(flight) => flight,
        _ => panic!("another owner computes it"),
    }
}

fn complete(flights: &Flights, flight: &TryArc<Flight>) {
    flights.complete(flight, None, current(), || Value("value"));
}

/// Returns once this many threads sleep.
fn once_asleep(flight: &Flight, takers: u32, sleepers: u32) {
    let began = Instant::now();
    loop {
        let state = flight.state.lock();
        let asleep = (state.takers, state.sleepers);
        drop(state);
        if asleep == (takers, sleepers) {
            return;
        }
        assert!(began.elapsed().as_secs() < 60, "{asleep:?} sleep, not {:?}", (takers, sleepers));
        yield_now();
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Value,
    Failed,
    Vacant,
    TimeOut,
    Cycle,
}

fn told(wait: Result<Wait<Value>>) -> Told {
    match wait.unwrap() {
        Wait::Value(value) => {
            assert_eq!(value, Value("value"));
            Told::Value
        }
        Wait::Failed => Told::Failed,
        Wait::Vacant => Told::Vacant,
        Wait::TimeOut => Told::TimeOut,
        Wait::Cycle => Told::Cycle,
    }
}

/// Starts threads that wait for a flight, each an owner of its own: `takers` would compute, `sleepers` would not. They
/// sleep once this returns.
fn sleeping(flight: &TryArc<Flight>, takers: u64, sleepers: u64, first: u64) -> mpsc::Receiver<(u64, Told)> {
    let (tell, hear) = mpsc::channel();
    for number in 0..takers + sleepers {
        let (flight, tell, time) = (flight.clone(), tell.clone(), if number < takers { None } else { LONG });
        thread::spawn(move || {
            let told = told(Flight::wait(&flight, task(first + number), time));
            tell.send((first + number, told)).unwrap();
        });
    }
    once_asleep(flight, takers as u32, sleepers as u32);
    hear
}

#[test]
fn a_failure_wakes_one_thread_to_compute_and_the_others_sleep_on() {
    const TAKERS: u64 = 8;
    let flights = Flights::default();
    let mut flight = lease(&flights, b"k", 1000);
    let told = sleeping(&flight, TAKERS, 3, 1001);
    for left in (0..TAKERS).rev() {
        let number = flight.number();
        assert!(flights.fail(&flight, None));
        // All others sleep; only the chosen thread was woken.
        let (chosen, how) = told.recv().unwrap();
        assert_eq!(how, Told::Vacant);
        once_asleep(&flight, left as u32, 3);
        let taken = lease(&flights, b"k", chosen);
        assert!(taken.is_same(&flight) && taken.number() != number && taken.noted() == 0);
        flight = taken;
        flight.note(7);
    }
    // No waiting thread would compute now.
    assert!(flights.fail(&flight, None));
    let mut rest: Vec<_> = (0..3).map(|_| told.recv().unwrap()).collect();
    rest.sort_by_key(|(owner, _)| *owner);
    assert_eq!(rest, [(1009, Told::Failed), (1010, Told::Failed), (1011, Told::Failed)]);
    assert!(!lease(&flights, b"k", 1000).is_same(&flight));
}

#[test]
fn a_thread_that_takes_over_completes_for_all_that_sleep() {
    let flights = Flights::default();
    let flight = lease(&flights, b"k", 1100);
    let told = sleeping(&flight, 5, 2, 1101);
    flights.fail(&flight, None);
    let (chosen, how) = told.recv().unwrap();
    assert_eq!(how, Told::Vacant);
    complete(&flights, &lease(&flights, b"k", chosen));
    assert!((0..6).all(|_| told.recv().unwrap().1 == Told::Value));
    assert!(flights.lists().unwrap().current.is_empty());
}

#[test]
fn the_first_thread_takes_over_a_vacant_flight_and_no_wake_up_is_lost() {
    let flights = Flights::default();
    let flight = lease(&flights, b"k", 1200);
    let told = sleeping(&flight, 2, 1, 1201);
    flights.fail(&flight, None);
    assert_eq!(told.recv().unwrap().1, Told::Vacant);
    // Another thread takes the flight over first, and fails too; then the other taker is woken.
    let taken = lease(&flights, b"k", 1299);
    assert!(matches!(begin(&flights, b"k", 1201), Begin::Busy(flight) if flight.is_same(&taken)));
    flights.fail(&taken, None);
    assert_eq!(told.recv().unwrap().1, Told::Vacant);
    // No taker is left, so the thread that only waits is woken.
    flights.pass_on(&flight);
    assert_eq!(told.recv().unwrap(), (1203, Told::Failed));
    assert!(flights.find(b"k", HASH).is_none());
}

#[test]
fn an_owner_that_computes_what_another_has_left_waits_for_nothing() {
    let flights = Flights::default();
    let poll = |flight: &TryArc<_>, owner| told(Flight::wait(flight, task(owner), Some(Duration::ZERO)));
    let (flight, other) = (lease(&flights, b"k", 1150), lease(&flights, b"other", 1151));
    let told = sleeping(&flight, 1, 0, 1152);
    assert_eq!(poll(&other, 1153), Told::TimeOut);
    flights.fail(&flight, None);
    assert_eq!(told.recv().unwrap().1, Told::Vacant);
    assert!(lease(&flights, b"k", 1153).is_same(&flight));
    assert_eq!(poll(&flight, 1151), Told::TimeOut, "no cycle: the owner has ended its wait");
    complete(&flights, &flight);

    let lost = lease(&flights, b"lost", 1150);
    assert!(forked(|| {
        let other = lease(&flights, b"of the child", 1151);
        let waits = poll(&other, 1153) == Told::TimeOut;
        let replaced = lease(&flights, b"lost", 1153);
        waits && !replaced.is_same(&lost) && poll(&replaced, 1151) == Told::TimeOut
    }));
}

#[test]
fn a_forked_child_has_none_of_its_parents_waits() {
    let flights = Flights::default();
    let poll = |flight: &TryArc<_>, owner| told(Flight::wait(flight, task(owner), Some(Duration::ZERO)));
    let flight = lease(&flights, b"k", 1160);
    assert_eq!(poll(&flight, 1161), Told::TimeOut);
    assert!(!Flight::nobody_waits());
    assert!(forked(|| {
        let own = lease(&flights, b"of the child", 1162);
        let waits = poll(&own, 1163) == Told::TimeOut;
        complete(&flights, &own);
        waits && Flight::nobody_waits()
    }));
}

#[test]
fn an_owner_that_comes_too_late_to_join_does_not_compute() {
    let flights = Flights::default();
    let again = |owner: u64| flights.begin(b"k", HASH, task(owner), || None::<()>);
    let flight = lease(&flights, b"k", 1170);
    let told = sleeping(&flight, 1, 0, 1171);
    flights.fail(&flight, None);
    assert_eq!(flight.join(task(1172)), Ok(false), "it is vacant");
    assert_eq!(told.recv().unwrap().1, Told::Vacant);
    assert!(matches!(again(1172).unwrap(), Begin::Lease(taken) if taken.is_same(&flight)));
    complete(&flights, &flight);
    assert_eq!(flight.join(task(1173)), Ok(false), "it has ended");
    assert!(!flight.is_computed());
}

#[test]
fn a_chosen_thread_that_does_not_compute_passes_the_flight_on() {
    let flights = Flights::default();
    let flight = lease(&flights, b"k", 1300);
    let told = sleeping(&flight, 4, 1, 1301);
    flights.fail(&flight, None);
    for left in (0..4).rev() {
        assert_eq!(told.recv().unwrap().1, Told::Vacant);
        once_asleep(&flight, left, 1);
        flights.pass_on(&flight);
    }
    assert_eq!(told.recv().unwrap(), (1305, Told::Failed));
    assert!(flights.find(b"k", HASH).is_none());
}

/// As [`lease`], for a flight that is in the hash table, and not the first one. If that `stays`, it is returned too.
fn lease_behind(flights: &Flights, key: &[u8], owner: u64, stays: bool) -> (TryArc<Flight>, Option<TryArc<Flight>>) {
    let first = lease(flights, b"first", owner + 30);
    let flight = lease(flights, key, owner);
    assert!(flights.lists().unwrap().is_first(&first));
    if !stays {
        complete(flights, &first);
    }
    (flight, stays.then_some(first))
}

#[test]
fn an_invalidated_flight_is_not_taken_over() {
    let removals: [fn(&Flights); 2] = [|flights| flights.invalidate(b"k", HASH), Flights::invalidate_all];
    let leases: [fn(&Flights, u64) -> TryArc<Flight>; 2] =
        [|flights, owner| lease(flights, b"k", owner), |flights, owner| lease_behind(flights, b"k", owner, false).0];
    for ((remove, lease), first) in
        removals.into_iter().flat_map(|one| leases.map(|other| (one, other))).zip([1400, 1450, 2400, 2450])
    {
        // Invalidated, then failed.
        let flights = Flights::default();
        let flight = lease(&flights, first);
        let told = sleeping(&flight, 2, 1, first + 1);
        remove(&flights);
        assert_eq!(flight.permit(), StorePermit::Invalidated);
        flights.fail(&flight, None);
        assert!((0..3).all(|_| told.recv().unwrap().1 == Told::Failed));
        // Failed, then invalidated.
        let flight = lease(&flights, first + 10);
        let told = sleeping(&flight, 2, 1, first + 11);
        flights.fail(&flight, None);
        assert_eq!(told.recv().unwrap().1, Told::Vacant);
        remove(&flights);
        assert!((0..2).all(|_| told.recv().unwrap().1 == Told::Failed));
        flights.pass_on(&flight);
        assert!(!lease(&flights, first + 11).is_same(&flight));
        let lists = flights.lists().unwrap();
        assert_eq!((lists.first.iter().count() + lists.current.len(), lists.stale.len()), (1, 0));
    }
}

#[test]
fn an_owner_computes_its_key_until_it_ends_even_if_the_flight_was_invalidated() {
    let removals: [fn(&Flights); 2] = [|flights| flights.invalidate(b"k", HASH), Flights::invalidate_all];
    type Leased = (TryArc<Flight>, Option<TryArc<Flight>>);
    let leases: [fn(&Flights, u64) -> Leased; 3] = [
        |flights, owner| (lease(flights, b"k", owner), None),
        |flights, owner| lease_behind(flights, b"k", owner, false),
        |flights, owner| lease_behind(flights, b"k", owner, true),
    ];
    for (remove, lease) in removals.into_iter().flat_map(|one| leases.map(|other| (one, other))) {
        let flights = Flights::default();
        let again = |owner: u64| flights.begin(b"k", HASH, task(owner), || None::<()>);
        let (first, beside) = lease(&flights, 1500);
        remove(&flights);
        assert!(matches!(again(1500), Err(Error::Recursion(_))));
        beside.iter().for_each(|beside| complete(&flights, beside));
        // Other owners begin anew, and are invalidated too.
        let (second, beside) = lease(&flights, 1501);
        remove(&flights);
        assert!(matches!((again(1500), again(1501)), (Err(Error::Recursion(_)), Err(Error::Recursion(_)))));
        beside.iter().for_each(|beside| complete(&flights, beside));
        flights.fail(&first, None);
        complete(&flights, &second);
        assert!(flights.lists().unwrap().stale.is_empty());
        assert!(matches!(again(1500).unwrap(), Begin::Lease(_)));
    }
}

#[test]
fn an_owner_still_computes_a_key_that_another_owner_completed() {
    let flights = Flights::default();
    let flight = lease(&flights, b"k", 1600);
    assert_eq!(flight.join(task(1601)), Ok(true));
    let again = |owner: u64| flights.begin(b"k", HASH, task(owner), || None::<()>);
    complete(&flights, &flight);
    assert!(matches!(again(1601), Err(Error::Recursion(_))));
    assert!(matches!(again(1600).unwrap(), Begin::Lease(_)));
    assert!(!flights.fail(&flight, Some(task(1601))));
    assert!(flights.lists().unwrap().stale.is_empty());
    assert!(matches!(again(1601).unwrap(), Begin::Busy(_)));
}

#[test]
fn no_thread_is_woken_if_none_sleeps() {
    let flights = Flights::default();
    let flight = lease(&flights, b"k", 1700);
    // An owner that polls does not sleep.
    assert_eq!(told(Flight::wait(&flight, task(1701), Some(Duration::ZERO))), Told::TimeOut);
    let waiters = Flight::end(&flight, flight.state.lock(), Outcome::Failed);
    assert!(!waiters.sleepers && !waiters.takers);
    assert_eq!(waiters.announced.len(), 1);
    waiters.wake(&flight);
}

#[test]
fn an_owner_that_polls_is_listed_once_and_removed_in_the_end() {
    const OWNERS: std::ops::Range<u64> = 2000..3000;
    let flights = Flights::default();
    let (a, b) = (lease(&flights, b"a", 1800), lease(&flights, b"b", 1801));
    let waiting = |flight: &Flight| flight.state.lock().waiting.len() as u64;
    let poll = |flight: &TryArc<Flight>, owner| told(Flight::wait(flight, task(owner), Some(Duration::ZERO)));
    for _ in 0..3 {
        for flight in [&a, &a, &b, &b] {
            assert!(OWNERS.clone().all(|owner| poll(flight, owner) == Told::TimeOut));
        }
        assert_eq!((waiting(&a), waiting(&b)), (0, 1000));
    }
    Flight::stop_waiting(task(2000));
    assert_eq!(waiting(&b), 999);
    complete(&flights, &b);
    assert_eq!((poll(&b, 2001), waiting(&b)), (Told::Value, 0));
    // No owner waits for `b` any more, so `b`'s owner may wait for `a` without a cycle.
    assert_eq!(poll(&a, 1801), Told::TimeOut);
    flights.fail(&a, None);
    assert_eq!(poll(&a, 1801), Told::Failed);
}

#[test]
fn a_wait_ends_at_its_time_limit_and_a_value_completed_at_that_moment_is_not_lost() {
    for round in 0..200 {
        let flights = Flights::default();
        let flight = lease(&flights, b"k", 3100);
        thread::scope(|scope| {
            let waiters: Vec<_> = (0..3)
                .map(|waiter| {
                    let flight = flight.clone();
                    let time = Some(Duration::from_micros(50 * (waiter + round % 5)));
                    scope.spawn(move || told(Flight::wait(&flight, task(3101 + waiter), time)))
                })
                .collect();
            complete(&flights, &flight);
            for waiter in waiters {
                let told = waiter.join().unwrap();
                assert!(told == Told::Value || told == Told::TimeOut);
            }
        });
        assert_eq!(told(Flight::wait(&flight, task(3101), Some(Duration::ZERO))), Told::Value);
    }
}

#[test]
fn what_the_thread_waits_for_others_is_no_cost_of_its_own_computations() {
    const WAIT: Duration = Duration::from_millis(100);
    const WORK: Duration = Duration::from_millis(20);
    let flights = Flights::default();
    let owner = Owner::this_thread();
    let lease_here = |key: &[u8]| match flights.begin(key, HASH, owner, || None::<()>).unwrap() {
        Begin::Lease(flight) => flight,
        _ => panic!("another owner computes it"),
    };
    /// Lets this thread wait for a flight of another, at least for `WAIT`.
    fn wait(flights: &Flights, owner: Owner, time: Option<Duration>) {
        let other = lease(flights, b"other", 7);
        thread::scope(|scope| {
            scope.spawn(|| {
                once_asleep(&other, time.is_none().into(), time.is_some().into());
                thread::sleep(WAIT);
                complete(flights, &other);
            });
            assert_eq!(told(Flight::wait(&other, owner, time)), Told::Value);
        });
    }
    // A computation inside of another: both leave out the waits of the inner one.
    let began = Instant::now();
    let outer = lease_here(b"outer");
    wait(&flights, owner, None);
    let inner_began = Instant::now();
    let inner = lease_here(b"inner");
    wait(&flights, owner, LONG);
    thread::sleep(WORK);
    let (inner_cost, outer_cost) = (cost(&inner), cost(&outer));
    assert!(inner_cost >= WORK && inner_cost + WAIT <= inner_began.elapsed(), "{inner_cost:?}");
    assert!(outer_cost >= inner_cost && outer_cost + 2 * WAIT <= began.elapsed(), "{outer_cost:?}");
    // In another thread the waits of this one are not known.
    thread::scope(|scope| {
        scope.spawn(|| assert!(cost(&outer) >= 2 * WAIT + WORK));
    });
    // An owner that takes a computation over begins anew.
    flights.fail(&inner, None);
    let second = lease_here(b"inner");
    wait(&flights, owner, None);
    let took = inner_began.elapsed();
    assert!(cost(&second) + 2 * WAIT + WORK <= took, "{:?} of {took:?}", cost(&second));
}

#[test]
fn a_flight_that_ended_alone_is_used_again_as_a_new_one() {
    let flights = Flights::default();
    let ended = |flight: TryArc<Flight>| {
        let (memory, number) = (flight.key().as_ptr(), flight.number());
        complete(&flights, &flight);
        (memory, number)
    };
    let first = lease(&flights, b"first", 1700);
    first.note(7);
    flights.invalidate(b"first", HASH);
    let (memory, number) = ended(first);
    let again = lease(&flights, b"again", 1701);
    assert_eq!(again.key().as_ptr(), memory);
    assert_eq!((again.key(), again.noted(), again.permit()), (&b"again"[..], 0, StorePermit::Granted));
    assert!(again.number() != number && again.has_owner());
    // Not one that others know: they see its value.
    let known = again.clone();
    ended(again);
    assert!(!lease(&flights, b"other", 1702).is_same(&known));
    assert_eq!(known.permit(), StorePermit::Late(Some(Value("value"))));
    // Nor one with a long key, whose memory would stay.
    let flights = Flights::default();
    for (len, invalidates) in [(1024, false), (1024, true), (1025, false), (1025, true)] {
        let flight = lease(&flights, &vec![7; len], 1703);
        if invalidates {
            flights.invalidate_all();
        }
        complete(&flights, &flight);
        drop(flight);
        assert_eq!(flights.lists().unwrap().spare.take().is_some(), len == 1024, "{len} {invalidates}");
    }
}

#[test]
fn a_key_is_free_while_certainly_nobody_computes_it() {
    const ANOTHER: u64 = 99;
    let flights = Flights::default();
    let is_free = |key: &[u8], hash| flights.free(key, hash, register().unwrap()).is_some();
    let lease_of = |key: &[u8], hash, owner| match flights.begin(key, hash, task(owner), || None::<()>) {
        Ok(Begin::Lease(flight)) => flight,
        _ => panic!("nobody computes it"),
    };
    complete(&flights, &lease(&flights, b"k", 1800));
    assert!(is_free(b"k", HASH));
    let first = lease(&flights, b"k", 1800);
    assert!(!is_free(b"k", HASH) && is_free(b"l", ANOTHER));
    // This one is in the hash table.
    let second = lease_of(b"l", ANOTHER, 1801);
    assert!(!is_free(b"k", HASH) && !is_free(b"l", ANOTHER) && is_free(b"m", ANOTHER));
    complete(&flights, &first);
    assert!(is_free(b"k", HASH) && !is_free(b"l", ANOTHER));
    // Its owner still computes it, so that recursion must be detected.
    flights.invalidate(b"l", ANOTHER);
    assert!(!is_free(b"l", ANOTHER));
    complete(&flights, &second);
    assert!(is_free(b"l", ANOTHER));
}
