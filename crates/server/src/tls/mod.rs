//! TLS: certificates that can be changed while the server runs, and what SASL needs to know of a
//! connection.
