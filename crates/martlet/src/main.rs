//! The `martlet` command.

#![forbid(unsafe_code)]

mod config;

fn main() {
    print!("{}{}", config::default_file(), config::manual_page());
}
