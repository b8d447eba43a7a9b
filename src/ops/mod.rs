//! The use cases, one file each. Every way in (SMTP, command line, later HTTP) ends here, so a rule such as "250 only after the
//! commit" exists once.

pub mod accept;
