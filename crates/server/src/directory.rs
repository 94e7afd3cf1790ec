//! The directory of users: the fold of the system account's log.
