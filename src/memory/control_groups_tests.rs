use super::*;
use std::cell::RefCell;
use std::collections::HashMap;

const UNIFIED: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
const MIB: u64 = 1 << 20;

/// A file system: the text of each file, or None if the file is unreadable now. Other files do not exist, except the
/// list of processes of each folder with files.
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
        let (path, files) = (std::str::from_utf8(path).unwrap(), self.0.borrow());
        match files.get(path) {
            None if path
                .strip_suffix("cgroup.procs")
                .is_some_and(|folder| files.keys().any(|file| file.starts_with(folder))) =>
            {
                Ok(0)
            }
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

#[test]
fn names_with_escaped_characters_are_decoded() {
    let mounts = "30 23 0:26 /a\\134x2db /mnt/control\\040groups rw - cgroup2 cgroup2 rw\n";
    let limit = "/mnt/control groups/job 7/memory.max";
    let tree = Tree::new("0::/a\\x2db/job 7\n", mounts, &[(limit, "1048576\n")]);
    let mut groups = Groups::new();
    let allowed = tree.sample(&mut groups, 0, 0);
    assert_eq!((allowed.limit, allowed.limits_known), (MIB, true));
    let name = RefCell::new(String::new());
    groups
        .limits(|path, _, _| {
            name.replace(path);
            Ok(())
        })
        .unwrap();
    assert_eq!(name.into_inner(), limit);
    assert_eq!(decoded(br"\040\1\\777\134").unwrap(), br" \1\\777\");
}

#[test]
fn a_mount_of_other_groups_does_not_limit_this_process() {
    let mounts = format!("{UNIFIED}31 23 0:26 /docker/1 /run/1/cgroup rw - cgroup2 cgroup2 rw\n");
    let files = [("/sys/fs/cgroup/a/memory.max", "2097152\n"), ("/run/1/cgroup/memory.max", "1048576\n")];
    let tree = Tree::new("0::/a\n", &mounts, &files);
    let allowed = tree.sample(&mut Groups::new(), 0, 0);
    assert_eq!((allowed.limit, allowed.limits_known), (2 * MIB, true));
    // Of two mounts with the group, that with more ancestors is read, and only that.
    let mounts = format!("31 23 0:26 /a /mnt rw - cgroup2 cgroup2 rw\n{UNIFIED}");
    let files = [("/sys/fs/cgroup/a/memory.max", "2097152\n"), ("/mnt/memory.max", "2097152\n")];
    let tree = Tree::new("0::/a\n", &mounts, &files);
    let mut groups = Groups::new();
    tree.sample(&mut groups, 0, 0);
    let paths = groups.groups.iter().map(|group| str::from_utf8(&group.folder).unwrap());
    assert_eq!(paths.collect::<Vec<_>>(), ["/sys/fs/cgroup/a", "/sys/fs/cgroup"]);
    // A mount that is covered by another file system does not show the group.
    tree.0.borrow_mut().remove("/sys/fs/cgroup/a/memory.max");
    let allowed = tree.sample(&mut Groups::new(), 0, 0);
    assert_eq!((allowed.limit, allowed.limits_known), (2 * MIB, true));
}

#[test]
fn a_group_outside_the_namespace_is_hidden_and_never_a_path_of_other_files() {
    let outside = Tree::new(
        "0::/../b\n",
        UNIFIED,
        &[("/sys/fs/cgroup/../b/memory.max", "4096\n"), ("/sys/fs/cgroup/memory.max", "1048576\n")],
    );
    let allowed = outside.sample(&mut Groups::new(), 0, 0);
    assert_eq!((allowed.limit, allowed.limits_known), (MIB, false));
    // The mount is older than the namespace. The names of the groups in between are unknown.
    let mounts = "30 23 0:26 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    let files = [("/sys/fs/cgroup/memory.max", "2097152\n"), ("/sys/fs/cgroup/b/memory.max", "1048576\n")];
    for (group, expected) in [
        ("0::/\n", (2 * MIB, false)),
        ("0::/../c\n", (2 * MIB, false)),
        ("0::/../..\n", (2 * MIB, true)),
        ("0::/../../b\n", (MIB, true)),
        ("0::/../../..\n", (2 * MIB, false)),
    ] {
        let allowed = Tree::new(group, mounts, &files).sample(&mut Groups::new(), 0, 0);
        assert_eq!((allowed.limit, allowed.limits_known), expected, "{group}");
    }
}

#[test]
fn ancestors_of_version_1_that_cannot_be_seen_limit_too() {
    let mounts = "33 25 0:29 /docker/1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
    let stat = "/sys/fs/cgroup/memory/memory.stat";
    let tree = Tree::new(
        "5:memory:/docker/1/job\n",
        mounts,
        &[
            ("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n"),
            ("/sys/fs/cgroup/memory/job/memory.stat", "hierarchical_memory_limit 4096\ntotal_inactive_file 0\n"),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "2097152\n"),
            ("/sys/fs/cgroup/memory/memory.usage_in_bytes", "300\n"),
            (stat, "inactive_file 0\nhierarchical_memory_limit 1048576\ntotal_inactive_file 0\n"),
        ],
    );
    let mut groups = Groups::new();
    let allowed = tree.sample(&mut groups, 0, 0);
    assert_eq!((allowed.limit, allowed.limits_known, allowed.usage_known), (MIB, true, true));
    // The own limit is not listed twice.
    tree.write(stat, "hierarchical_memory_limit 2097152\n");
    assert_eq!(tree.sample(&mut groups, 0, 0).limit, 2 * MIB);
    let listed = RefCell::new(0);
    groups
        .limits(|_, _, _| {
            listed.replace_with(|count| *count + 1);
            Ok(())
        })
        .unwrap();
    assert_eq!(listed.into_inner(), 1);
    // The root of a hierarchy has no ancestors.
    tree.write("/sys/fs/cgroup/memory/release_agent", "\n");
    tree.write(stat, "hierarchical_memory_limit 4096\n");
    assert_eq!(tree.sample(&mut Groups::new(), 0, 0).limit, 2 * MIB);
}

#[test]
fn a_group_of_version_1_that_leaves_its_descendants_alone_does_not_limit_them() {
    let legacy = "33 25 0:29 / /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
    let tree = Tree::new(
        "5:memory:/a/b\n",
        legacy,
        &[
            ("/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "2097152\n"),
            ("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "1048576\n"),
            ("/sys/fs/cgroup/memory/a/memory.use_hierarchy", "1\n"),
        ],
    );
    assert_eq!(tree.limit(), MIB);
    tree.write("/sys/fs/cgroup/memory/a/memory.use_hierarchy", "0\n");
    assert_eq!(tree.limit(), 2 * MIB);
}

#[test]
fn a_limit_that_goes_with_its_controller_is_gone_and_a_mount_that_moves_is_found_again() {
    let limit = "/sys/fs/cgroup/a/memory.max";
    let tree = Tree::new("0::/a\n", UNIFIED, &[(limit, "1048576\n"), ("/sys/fs/cgroup/a/cgroup.type", "domain\n")]);
    let mut groups = Groups::new();
    assert_eq!(tree.sample(&mut groups, 0, 0).limit, MIB);
    tree.0.borrow_mut().remove(limit);
    let allowed = tree.sample(&mut groups, 0, 0);
    assert_eq!((allowed.limit, allowed.limits_known), (u64::MAX, true));
    tree.write(limit, "1048576\n");
    assert_eq!(tree.sample(&mut groups, 0, 0).limit, MIB);

    tree.0.borrow_mut().retain(|path, _| path.starts_with("/proc/"));
    let allowed = tree.sample(&mut groups, 0, 0);
    assert_eq!((allowed.limit, allowed.limits_known), (MIB, false));
    tree.write("/proc/self/mountinfo", "30 23 0:26 / /mnt rw - cgroup2 cgroup2 rw\n");
    tree.write("/mnt/a/memory.max", "2097152\n");
    let allowed = tree.sample(&mut groups, 0, 0);
    assert_eq!((allowed.limit, allowed.limits_known), (2 * MIB, true));
}

#[test]
fn a_process_that_moves_keeps_its_limits_until_the_new_ones_are_readable() {
    let new = "/sys/fs/cgroup/b/memory.max";
    let tree = Tree::new("0::/a\n", UNIFIED, &[("/sys/fs/cgroup/a/memory.max", "2097152\n"), (new, "1048576\n")]);
    let mut groups = Groups::new();
    assert_eq!(tree.sample(&mut groups, 0, 0).limit, 2 * MIB);
    tree.write("/proc/self/cgroup", "0::/b\n");
    tree.lock(new);
    let allowed = tree.sample(&mut groups, 0, 0);
    assert_eq!((allowed.limit, allowed.limits_known), (2 * MIB, false));
    tree.write(new, "1048576\n");
    let allowed = tree.sample(&mut groups, 0, 0);
    assert_eq!((allowed.limit, allowed.limits_known), (MIB, true));
}

#[test]
fn the_groups_are_known_after_the_end_of_the_main_thread() {
    let tree = Tree::new("0::/\n", UNIFIED, &[("/sys/fs/cgroup/a/memory.max", "1048576\n")]);
    tree.0.borrow_mut().remove("/proc/self/mountinfo");
    tree.write("/proc/thread-self/cgroup", "0::/a\n");
    tree.write("/proc/thread-self/mountinfo", UNIFIED);
    let allowed = tree.sample(&mut Groups::new(), 0, 0);
    assert_eq!((allowed.limit, allowed.limits_known), (MIB, true));
}
