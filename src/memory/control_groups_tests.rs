use super::*;
use std::cell::RefCell;
use std::collections::HashMap;

const UNIFIED: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
const MIB: u64 = 1 << 20;

/// A file system: the text of each file, or None if the file is unreadable now. Other files do not exist.
struct Tree(RefCell<HashMap<String, Option<String>>>);

impl Tree {
    fn new(groups: &str, mounts: &str, files: &[(&str, &str)]) -> Self {
        let tree = Tree(RefCell::default());
        tree.write("/proc/self/cgroup", groups);
        tree.write("/proc/self/mountinfo", mounts);
        files.iter().for_each(|(path, text)| tree.write(path, text));
        tree
    }

    fn write(&self, path: &str, text: &str) {
        self.0.borrow_mut().insert(path.into(), Some(text.into()));
    }

    /// Makes a file unreadable, as without a free descriptor; `write` makes it readable again.
    fn lock(&self, path: &str) {
        self.0.borrow_mut().insert(path.into(), None);
    }

    fn lock_all(&self) {
        self.0.borrow_mut().values_mut().for_each(|text| *text = None);
    }

    fn remove_all(&self) {
        self.0.borrow_mut().clear();
    }

    fn read(&self, path: &[u8], buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.borrow().get(std::str::from_utf8(path).unwrap()) {
            None => Err(ErrorKind::NotFound.into()),
            Some(None) => Err(io::Error::from_raw_os_error(libc::EMFILE)),
            Some(Some(text)) => {
                let len = text.len().min(buffer.len());
                buffer[..len].copy_from_slice(&text.as_bytes()[..len]);
                Ok(len)
            }
        }
    }

    fn sample(&self, groups: &mut Groups, held: i64, now: u64) -> Allowed {
        groups.sample(&|path, buffer| self.read(path, buffer), Occupied { least: held, most: held }, now, true)
    }

    fn limit(&self) -> u64 {
        self.sample(&mut Groups::new(), 0, 0).limit
    }
}

#[test]
fn the_least_limit_of_all_ancestors_counts() {
    let tree = Tree::new(
        "0::/a/b\n",
        UNIFIED,
        &[
            ("/sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("/sys/fs/cgroup/a/memory.max", "2147483648\n"),
            ("/sys/fs/cgroup/memory.max", "4294967296\n"),
        ],
    );
    assert_eq!(tree.limit(), 2 << 30);
    tree.write("/proc/self/cgroup", "0::/elsewhere\n");
    assert_eq!(tree.limit(), 4 << 30);

    let legacy = "33 25 0:29 /docker/1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
                  34 25 0:30 /docker/1 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n";
    let tree = Tree::new(
        "5:memory:/docker/1/job\n4:cpu:/docker/1\n0::/\n",
        legacy,
        &[
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n"),
            ("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n"),
        ],
    );
    let allowed = tree.sample(&mut Groups::new(), 0, 0);
    assert_eq!((allowed.limit, allowed.limits_known), (1 << 30, true));
    tree.write("/proc/self/cgroup", "5:memory:/docker/10\n");
    assert_eq!(tree.limit(), 1 << 30);
}

#[test]
fn high_is_a_limit_and_the_word_max_is_not() {
    let tree = Tree::new(
        "0::/a\n",
        UNIFIED,
        &[
            ("/sys/fs/cgroup/a/memory.max", "max\n"),
            ("/sys/fs/cgroup/a/memory.high", "1048576\n"),
            ("/sys/fs/cgroup/a/memory.current", "4096\n"),
        ],
    );
    assert_eq!(tree.limit(), 1 << 20);
    tree.write("/sys/fs/cgroup/a/memory.high", "max\n");
    let allowed = tree.sample(&mut Groups::new(), 0, 0);
    let none = Allowed { limit: u64::MAX, limits_known: true, usage_known: true, ceiling: i64::MAX };
    assert_eq!(allowed, none);
}

#[test]
fn a_known_limit_stays_while_it_is_unreadable() {
    let (limit, max) = ("/sys/fs/cgroup/a/memory.max", "2147483648\n");
    let tree = Tree::new("0::/a\n", UNIFIED, &[(limit, max), ("/sys/fs/cgroup/a/memory.current", "0\n")]);
    let mut groups = Groups::new();
    let first = tree.sample(&mut groups, 0, 0);
    assert!(first.limits_known && first.usage_known && first.limit == 2 << 30);
    for text in ["", "-1\n", "12 34\n", "99999999999999999999999\n"] {
        tree.write(limit, text);
        let now = tree.sample(&mut groups, 0, 0);
        assert_eq!((now.limit, now.limits_known), (2 << 30, false), "{text:?}");
    }
    tree.lock(limit);
    let partly = tree.sample(&mut groups, 0, 0);
    assert_eq!((partly.limit, partly.limits_known, partly.usage_known), (2 << 30, false, true));
    tree.lock_all();
    let none = tree.sample(&mut groups, 0, 0);
    assert_eq!((none.limit, none.limits_known, none.usage_known), (2 << 30, false, false));
    tree.remove_all();
    let none = tree.sample(&mut groups, 0, 0);
    assert_eq!((none.limits_known, none.usage_known), (false, false));
    assert!(!tree.sample(&mut Groups::new(), 0, 0).limits_known);
}

#[test]
fn groups_that_were_not_found_are_searched_again() {
    let tree = Tree::new("0::/a\n", UNIFIED, &[("/sys/fs/cgroup/a/memory.max", "2147483648\n")]);
    let mut groups = Groups::new();
    tree.lock("/proc/self/cgroup");
    assert_eq!((tree.sample(&mut groups, 0, 0).limit, tree.sample(&mut groups, 0, 0).limits_known), (u64::MAX, false));
    tree.write("/proc/self/cgroup", "0::/a\n");
    tree.lock("/proc/self/mountinfo");
    assert_eq!((tree.sample(&mut groups, 0, 0).limit, tree.sample(&mut groups, 0, 0).limits_known), (u64::MAX, false));
    tree.write("/proc/self/mountinfo", "");
    assert_eq!((tree.sample(&mut groups, 0, 0).limit, tree.sample(&mut groups, 0, 0).limits_known), (u64::MAX, false));
    tree.write("/proc/self/mountinfo", UNIFIED);
    assert_eq!((tree.sample(&mut groups, 0, 0).limit, tree.sample(&mut groups, 0, 0).limits_known), (2 << 30, true));
}

#[test]
fn a_process_that_moves_has_the_limits_of_its_new_group() {
    let tree = Tree::new(
        "0::/a\n",
        UNIFIED,
        &[("/sys/fs/cgroup/a/memory.max", "2147483648\n"), ("/sys/fs/cgroup/b/memory.max", "1073741824\n")],
    );
    let mut groups = Groups::new();
    assert_eq!(tree.sample(&mut groups, 0, 0).limit, 2 << 30);
    tree.write("/proc/self/cgroup", "0::/b\n");
    assert_eq!(tree.sample(&mut groups, 0, 0).limit, 1 << 30);
    tree.write("/sys/fs/cgroup/b/memory.max", "max\n");
    assert_eq!(tree.sample(&mut groups, 0, 0).limit, u64::MAX);
}

#[test]
fn caches_stop_at_nine_tenths_of_a_group_and_its_page_cache_does_not_count() {
    let tree = Tree::new(
        "0::/a\n",
        UNIFIED,
        &[
            ("/sys/fs/cgroup/a/memory.max", "104857600\n"),
            ("/sys/fs/cgroup/a/memory.current", "94371840\n"),
            ("/sys/fs/cgroup/a/memory.stat", "anon 1048576\nfile 62914560\ninactive_file 62914560\nslab 7\n"),
        ],
    );
    let mut groups = Groups::new();
    // 90 MiB in use: 60 are inactive file pages and 10 are held by caches. 20 + 70 are nine tenths of 100.
    let held = 10 * MIB as i64;
    assert_eq!(tree.sample(&mut groups, held, 0).ceiling, 70 * MIB as i64);
    // That figure still includes the bytes that caches held then.
    tree.lock("/sys/fs/cgroup/a/memory.current");
    let blind = tree.sample(&mut groups, 2 * held, 1000);
    assert_eq!((blind.ceiling, blind.usage_known), (70 * MIB as i64, false));
    tree.write("/sys/fs/cgroup/a/memory.current", "94371840\n");
    // It is read again when it is old, and a truncated text is not a figure.
    tree.write("/sys/fs/cgroup/a/memory.stat", "anon 1048576\ninactive_file 0\n");
    assert_eq!(tree.sample(&mut groups, held, 20).ceiling, 70 * MIB as i64);
    assert_eq!(tree.sample(&mut groups, held, 100).ceiling, 10 * MIB as i64);
    tree.write("/sys/fs/cgroup/a/memory.stat", "inactive_file 62914560\n");
    assert_eq!(tree.sample(&mut groups, held + 2 * MIB as i64, 101).ceiling, 72 * MIB as i64);
    tree.write("/sys/fs/cgroup/a/memory.stat", "anon 1048576\ninactive_file 629145");
    assert!(!tree.sample(&mut groups, held, 200).usage_known);

    let legacy = "33 25 0:29 / /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
    let tree = Tree::new(
        "5:memory:/job\n",
        legacy,
        &[
            ("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "104857600\n"),
            ("/sys/fs/cgroup/memory/job/memory.usage_in_bytes", "94371840\n"),
            ("/sys/fs/cgroup/memory/job/memory.stat", "inactive_file 0\ntotal_inactive_file 62914560\n"),
        ],
    );
    assert_eq!(tree.sample(&mut Groups::new(), held, 0).ceiling, 70 * MIB as i64);
}

#[test]
fn the_limits_of_a_group_and_its_ancestors_are_listed_with_what_each_counts() {
    let unified = Tree::new(
        "0::/a/b\n",
        UNIFIED,
        &[
            ("/sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("/sys/fs/cgroup/a/b/memory.high", "1048576\n"),
            ("/sys/fs/cgroup/a/b/memory.current", "600000\n"),
            ("/sys/fs/cgroup/a/b/memory.stat", "inactive_file 100000\n"),
            ("/sys/fs/cgroup/a/memory.max", "2147483648\n"),
            ("/sys/fs/cgroup/a/memory.high", "1073741824\n"),
            ("/sys/fs/cgroup/a/memory.current", "9000\n"),
        ],
    );
    let listed = |tree: &Tree| {
        let mut groups = Groups::new();
        tree.sample(&mut groups, 3000, 0);
        let mut listed = Vec::new();
        let limits = groups.limits(|name, bytes, outside| {
            listed.push((name, bytes, outside));
            Ok(())
        });
        limits.unwrap();
        listed
    };
    assert_eq!(
        listed(&unified),
        [
            ("/sys/fs/cgroup/a/b/memory.high".into(), MIB, 497_000),
            ("/sys/fs/cgroup/a/memory.max".into(), 2048 * MIB, 6000),
            ("/sys/fs/cgroup/a/memory.high".into(), 1024 * MIB, 6000),
        ]
    );
    let legacy = Tree::new(
        "5:memory:/job\n",
        "33 25 0:29 / /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
        &[
            ("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "4096\n"),
            ("/sys/fs/cgroup/memory/job/memory.usage_in_bytes", "1500\n"),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ],
    );
    assert_eq!(listed(&legacy), [("/sys/fs/cgroup/memory/job/memory.limit_in_bytes".into(), 4096, -1500)]);
}
