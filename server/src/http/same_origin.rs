//! Guard of a server without keys against other web pages in the operator's browser.
//!
//! Such a server listens on the loopback address only, but a page of any site can send requests to
//! it from the browser, and a name that is rebound to 127.0.0.1 can read the answers (DNS
//! rebinding). So a request must name this machine or a host of `allowed_hosts`, and must not come
//! from a page of another origin (Fetch Metadata; W3C). Programs send neither `Origin` nor
//! `Sec-Fetch-Site`. With keys, pages of other sites have none, and nothing is checked.

use std::net::IpAddr;

use actix_web::{
    dev::ServiceRequest,
    http::{Method, StatusCode, header},
};

use crate::error::{ApiError, ApiResult};

/// Checks a request to a server without keys.
///
/// # Errors
/// 421 for a foreign host, 403 for a page of another origin.
pub fn check(request: &ServiceRequest, allowed_hosts: &[String]) -> ApiResult<()> {
    let header = |name: &str| request.headers().get(name)?.to_str().ok();
    let is_allowed = |host: &str| allowed_hosts.iter().any(|h| h.eq_ignore_ascii_case(host));
    let authority = header("host").or_else(|| request.uri().authority().map(|a| a.as_str()));
    if let Some(authority) = authority {
        let host = host_of(authority);
        if !is_this_machine(host) && !is_allowed(host) {
            return Err(ApiError::new(
                StatusCode::MISDIRECTED_REQUEST,
                "misdirected_request",
                format!(
                    "without API keys the server answers for localhost and `allowed_hosts` only, \
                     got host `{host}`; add it to `allowed_hosts`, or use keys"
                ),
            ));
        }
    }
    if header("sec-fetch-site") == Some("cross-site") && !is_navigation(request) {
        return Err(cross_site("Sec-Fetch-Site: cross-site"));
    }
    if let Some(origin) = header(header::ORIGIN.as_str()) {
        let own = origin.split_once("://").map(|(_, own)| own);
        let is_own = own.is_some() && own == authority;
        if !is_own && !own.is_some_and(|own| is_allowed(host_of(own))) {
            return Err(cross_site(&format!("Origin: {origin}")));
        }
    }
    Ok(())
}

/// Returns true if the browser follows a link to a page of the server, which the page with the
/// link cannot read.
fn is_navigation(request: &ServiceRequest) -> bool {
    let mode = request.headers().get("sec-fetch-mode");
    matches!(*request.method(), Method::GET | Method::HEAD)
        && mode.is_some_and(|mode| mode == "navigate")
}

fn cross_site(header: &str) -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "cross_site",
        format!(
            "the request comes from a page of another site (`{header}`); use keys, or add the \
             host of the page to `allowed_hosts`"
        ),
    )
}

/// Returns the host of `host:port`, without the port and a trailing dot.
fn host_of(authority: &str) -> &str {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|c| c.is_ascii_digit()) => host,
        _ => authority,
    };
    host.strip_suffix('.').unwrap_or(host)
}

/// Returns true for `localhost` and loopback addresses.
fn is_this_machine(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let address = address.unwrap_or(host).parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_recognized_without_their_ports() {
        for host in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1:7280",
            "[::1]:7280",
            "[::1]",
            "localhost.",
        ] {
            assert!(is_this_machine(host_of(host)), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example:80",
            "localhost.evil.example",
            "10.0.0.1",
        ] {
            assert!(!is_this_machine(host_of(host)), "{host}");
        }
    }
}
