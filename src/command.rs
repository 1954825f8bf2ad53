//! One file per command: its arguments, and what it does.

pub(crate) mod backup;
pub(crate) mod bench;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod key;
pub(crate) mod rebuild;
pub(crate) mod replay;
pub(crate) mod restore;
pub(crate) mod serve;
pub(crate) mod tail;
pub(crate) mod verify;
