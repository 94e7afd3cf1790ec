//! storage-files
