//! The program: everything else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Two providers can be compiled in by dependencies; which one is used is decided here, once.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    invited::cli::run()
}
