//! The engines, each as a user would set it up for a cache: a store has been handed to the operating system when it
//! returns, and is not synced to the storage device.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use heed::types::Bytes;
use heed::{EnvFlags, EnvOpenOptions};
use phicache::cache::{DiskCache, DiskOptions, Options};
use phicache::config::Config;
use phicache::key::Fingerprint;
use phicache::sync::TryArc;
use redb::{Durability, TableDefinition};

/// A store of values by keys.
pub trait Engine {
    /// Stores a value.
    fn put(&mut self, key: &[u8], value: &[u8]);
    /// Whether the value of a key is there and equal to `value`.
    fn has(&mut self, key: &[u8], value: &[u8]) -> bool;
}

/// All names.
pub const NAMES: [&str; 5] = ["phicache", "sqlite", "lmdb", "redb", "files"];

/// Opens the engine of this name.
pub fn open(name: &str, folder: &Path) -> Box<dyn Engine> {
    match name {
        "phicache" => Box::new(Phicache::open(folder)),
        "sqlite" => Box::new(Sqlite::open(folder)),
        "lmdb" => Box::new(Lmdb::open(folder)),
        "redb" => Box::new(Redb::open(folder)),
        "files" => Box::new(Files(folder.into())),
        _ => panic!("no engine is named {name}; the engines are {NAMES:?}"),
    }
}

struct Phicache {
    cache: TryArc<DiskCache>,
    _config: Arc<Config>,
}

impl Phicache {
    fn open(folder: &Path) -> Self {
        let config = Config::new().unwrap();
        config.set_disk_directory(folder.to_str()).unwrap();
        let disk = DiskOptions { near_bytes: Some(1 << 30), ..DiskOptions::default() };
        let options = Options { disk, ..Options::default() };
        let cache = DiskCache::disk(config.clone(), options, &Fingerprint([1; 32]), "values", None).unwrap();
        Phicache { cache, _config: config }
    }
}

impl Engine for Phicache {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.cache.set(key, value).unwrap().unwrap();
    }

    fn has(&mut self, key: &[u8], value: &[u8]) -> bool {
        self.cache.get(key).unwrap().is_some_and(|found| found.entry.value() == value)
    }
}

struct Sqlite(rusqlite::Connection);

impl Sqlite {
    fn open(folder: &Path) -> Self {
        let database = rusqlite::Connection::open(folder.join("cache.sqlite")).unwrap();
        database.busy_timeout(Duration::from_secs(600)).unwrap();
        let prepare = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
                       CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID;";
        // Of two processes that begin with the journal at once, one is told at once that the database is busy.
        while let Err(error) = database.execute_batch(prepare) {
            assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy), "{error}");
            std::thread::sleep(Duration::from_millis(1));
        }
        Sqlite(database)
    }
}

impl Engine for Sqlite {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        let mut insert = self.0.prepare_cached("INSERT OR REPLACE INTO entries VALUES (?, ?)").unwrap();
        insert.execute((key, value)).unwrap();
    }

    fn has(&mut self, key: &[u8], value: &[u8]) -> bool {
        let mut select = self.0.prepare_cached("SELECT value FROM entries WHERE key = ?").unwrap();
        select.query_row((key,), |row| row.get::<_, Vec<u8>>(0)).is_ok_and(|found| found == value)
    }
}

struct Lmdb {
    environment: heed::Env,
    database: heed::Database<Bytes, Bytes>,
}

impl Lmdb {
    fn open(folder: &Path) -> Self {
        let mut options = EnvOpenOptions::new();
        options.map_size(8 << 30);
        // SAFETY: no other program changes the files; a store need not survive a power cut.
        let environment = unsafe {
            options.flags(EnvFlags::NO_SYNC);
            options.open(folder).unwrap()
        };
        let mut transaction = environment.write_txn().unwrap();
        let database = environment.create_database(&mut transaction, None).unwrap();
        transaction.commit().unwrap();
        Lmdb { environment, database }
    }
}

impl Engine for Lmdb {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        let mut transaction = self.environment.write_txn().unwrap();
        self.database.put(&mut transaction, key, value).unwrap();
        transaction.commit().unwrap();
    }

    fn has(&mut self, key: &[u8], value: &[u8]) -> bool {
        let transaction = self.environment.read_txn().unwrap();
        self.database.get(&transaction, key).unwrap().is_some_and(|found| found == value)
    }
}

const TABLE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("entries");

struct Redb(redb::Database);

impl Redb {
    fn open(folder: &Path) -> Self {
        let database = redb::Database::create(folder.join("cache.redb")).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(TABLE).unwrap();
        transaction.commit().unwrap();
        Redb(database)
    }
}

impl Engine for Redb {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        let mut transaction = self.0.begin_write().unwrap();
        transaction.set_durability(Durability::Eventual);
        transaction.open_table(TABLE).unwrap().insert(key, value).unwrap();
        transaction.commit().unwrap();
    }

    fn has(&mut self, key: &[u8], value: &[u8]) -> bool {
        let transaction = self.0.begin_read().unwrap();
        let table = transaction.open_table(TABLE).unwrap();
        table.get(key).unwrap().is_some_and(|found| found.value() == value)
    }
}

/// A file for each key, written beside its place and renamed.
struct Files(PathBuf);

impl Files {
    fn path(&self, key: &[u8]) -> PathBuf {
        let name: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        self.0.join(&name[..2]).join(name)
    }
}

impl Engine for Files {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        let path = self.path(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let beside = path.with_extension(std::process::id().to_string());
        fs::write(&beside, value).unwrap();
        fs::rename(&beside, &path).unwrap();
    }

    fn has(&mut self, key: &[u8], value: &[u8]) -> bool {
        fs::read(self.path(key)).is_ok_and(|found| found == value)
    }
}
