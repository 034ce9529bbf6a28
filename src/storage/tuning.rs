//! Settings of RocksDB: what it may hold in memory, in open files and in its write-ahead log.

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DBRecoveryMode, Options,
    WriteBufferManager,
};

/// Column families of the store.
pub(super) const FAMILIES: [&str; 5] = ["items", "vectors", "events", "models", "manifest"];

/// Bytes of the cache that all column families share: blocks, indexes and filters of tables, and
/// memtables.
const CACHE_BYTES: usize = 160 << 20;

/// Bytes of memtables, a part of the cache. More are written to tables.
const MEMTABLE_BYTES: usize = 96 << 20;

/// Bytes of the write-ahead log from which on the oldest memtables are written to tables. Opening
/// after a crash reads this much, and needs this much of the disk.
pub(super) const MAX_LOG_BYTES: u64 = 128 << 20;

/// Tables that are open at a time.
const MAX_OPEN_TABLES: i32 = 512;

/// Bits per key of a Bloom filter: 1 % of the lookups of an absent key read a block.
const BLOOM_BITS: f64 = 10.0;

/// Logs of RocksDB itself (`LOG.old.*`) that are kept, and their size.
const KEPT_LOGS: usize = 4;
const LOG_BYTES: usize = 4 << 20;

/// Memory shared by all openings of a store.
pub(super) struct Tuning {
    cache: Cache,
    memtables: WriteBufferManager,
}

impl Tuning {
    pub fn new() -> Self {
        let cache = Cache::new_lru_cache(CACHE_BYTES);
        let stall_writers = false;
        let memtables = WriteBufferManager::new_write_buffer_manager_with_cache(
            MEMTABLE_BYTES,
            stall_writers,
            cache.clone(),
        );
        Self { cache, memtables }
    }

    /// Returns the options of the database. Only a new directory may be created.
    pub fn database(&self, is_new: bool, mode: DBRecoveryMode) -> Options {
        let mut options = Options::default();
        options.create_if_missing(is_new);
        options.create_missing_column_families(is_new);
        options.set_wal_recovery_mode(mode);
        options.set_track_and_verify_wals_in_manifest(true);
        options.set_paranoid_checks(true);
        options.set_max_total_wal_size(MAX_LOG_BYTES);
        options.set_write_buffer_manager(&self.memtables);
        options.set_max_open_files(MAX_OPEN_TABLES);
        options.set_keep_log_file_num(KEPT_LOGS);
        options.set_max_log_file_size(LOG_BYTES);
        options
    }

    /// Returns the column families with their options.
    pub fn families(&self) -> Vec<ColumnFamilyDescriptor> {
        let mut tables = BlockBasedOptions::default();
        tables.set_block_cache(&self.cache);
        tables.set_cache_index_and_filter_blocks(true);
        tables.set_pin_l0_filter_and_index_blocks_in_cache(true);
        let block_based = false;
        tables.set_bloom_filter(BLOOM_BITS, block_based);
        let descriptor = |name| {
            let mut options = Options::default();
            options.set_compression_type(DBCompressionType::Lz4);
            options.set_block_based_table_factory(&tables);
            ColumnFamilyDescriptor::new(name, options)
        };
        FAMILIES.into_iter().map(descriptor).collect()
    }

    /// Returns the bytes of the cache in use, memtables included.
    pub fn memory_bytes(&self) -> u64 {
        self.cache.get_usage() as u64
    }
}
