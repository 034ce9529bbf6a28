//! Images from files, Base64 and the web.

use std::{
    io::{ErrorKind, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    thread,
};

use vitrine_schemas::ImageRef;

use crate::source::{
    image::{Images, agent, fetch},
    public_net::is_public,
};

fn error(images: &Images, image: ImageRef) -> String {
    images.load(&image).unwrap_err().to_string()
}

#[test]
fn paths_stay_within_the_catalog_folder() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("shop");
    std::fs::create_dir_all(base.join("images")).unwrap();
    std::fs::write(base.join("images/a.jpg"), b"image").unwrap();
    std::fs::write(folder.path().join("secret"), b"no").unwrap();
    let images = Images::new(base.clone(), false);
    let path = |p: &str| ImageRef::Path(p.to_owned());
    assert_eq!(images.load(&path("images/a.jpg")).unwrap(), b"image");
    assert_eq!(
        images.load(&path("./images/../images/a.jpg")).unwrap(),
        b"image"
    );
    let absolute = base.join("images/a.jpg").display().to_string();
    assert_eq!(images.load(&path(&absolute)).unwrap(), b"image");
    for outside in [
        "../secret",
        "images/../../secret",
        "images/../.././shop/images/a.jpg",
    ] {
        assert!(
            error(&images, path(outside)).contains("the path is outside of the catalog's folder")
        );
    }
    assert!(error(&images, path("images")).ends_with("not a regular file"));
    assert!(error(&images, path("images/b.jpg")).contains("No such file"));
    let sparse = std::fs::File::create(base.join("big.jpg")).unwrap();
    sparse.set_len((32 << 20) + 1).unwrap();
    assert!(error(&images, path("big.jpg")).ends_with("larger than 33554432 bytes"));
}

#[test]
fn bytes_are_standard_base64() {
    let images = Images::new(".".into(), false);
    assert_eq!(
        images.load(&ImageRef::Bytes("cGhvdG8/".into())).unwrap(),
        b"photo?" // style: ignore
    );
    for wrong in ["cGhvdG8_", "cGhvdG8", "x"] {
        assert!(
            error(&images, ImageRef::Bytes(wrong.into()))
                .ends_with("expected standard Base64 with padding")
        );
    }
    let large = ImageRef::Bytes("A".repeat(44_800_000));
    assert!(error(&images, large).ends_with("larger than 33554432 bytes"));
}

#[test]
fn only_public_addresses_are_public() {
    for public in [
        "1.1.1.1",
        "100.128.0.1",
        "172.32.0.1",
        "198.20.0.1",
        "2606:4700::1111",
        "2001:4860::8",
        "2a00::1",
    ] {
        assert!(is_public(public.parse().unwrap()), "{public}");
    }
    for refused in [
        "0.0.0.0",
        "0.1.2.3",
        "10.1.2.3",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.9.9.9",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:8.8.8.8",
        "::ffff:127.0.0.1",
        "::7f00:1",
        "64:ff9b::7f00:1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ] {
        assert!(!is_public(refused.parse().unwrap()), "{refused}");
    }
}

#[test]
fn a_local_address_is_refused_before_it_is_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let images = Images::new(".".into(), true);
    for host in [
        "127.0.0.1",
        "localhost",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "user@127.0.0.1",
    ] {
        let error = error(
            &images,
            ImageRef::Uri(format!("http://{host}:{port}/a.jpg")),
        );
        assert!(error.contains("which is not a public address"), "{error}");
    }
    for uri in ["file:///etc/passwd", "ftp://127.0.0.1/a.jpg", "a.jpg", ""] {
        error(&images, ImageRef::Uri(uri.to_owned()));
    }
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    let images = Images::new(".".into(), false);
    let refused = error(&images, ImageRef::Uri("https://x.org/a.jpg".into()));
    assert!(refused.ends_with("web addresses are fetched only with --fetch-images"));
}

/// Answers every connection with the result of `answer` for the requested path.
fn serve(answer: impl Fn(&str, u16) -> Vec<u8> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let amount = stream.read(&mut head).unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..amount]).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default();
            // The client may disconnect at any time.
            let _ = stream.write_all(&answer(path, address.port()));
        }
    });
    address
}

fn this_host(address: IpAddr) -> bool {
    address == Ipv4Addr::LOCALHOST
}

#[test]
fn redirects_are_checked_and_counted_and_sizes_bounded() {
    let address = serve(|path, port| {
        let to = |host: &str, path: &str| {
            format!("HTTP/1.1 302 Found\r\nlocation: http://{host}:{port}{path}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").into_bytes()
        };
        let chunked = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
        match path {
            "/3" => to("127.0.0.1", "/2"),
            "/2" => to("127.0.0.1", "/1"),
            "/1" => to("127.0.0.1", "/a.jpg"),
            "/4" => to("127.0.0.1", "/3"),
            "/elsewhere" => to("127.0.0.2", "/a.jpg"),
            "/large" => [chunked.as_bytes(), &vec![0; (32 << 20) + 1]].concat(),
            "/a.jpg" => {
                b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nimage".to_vec()
            }
            _ => {
                b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec()
            }
        }
    });
    let agent = agent(this_host);
    let get =
        |path: &str| fetch(&agent, &format!("http://{address}{path}")).map_err(|e| e.to_string());
    assert_eq!(get("/a.jpg").unwrap(), b"image");
    assert_eq!(get("/3").unwrap(), b"image");
    assert!(get("/4").unwrap_err().contains("too many redirects"));
    assert!(
        get("/elsewhere")
            .unwrap_err()
            .contains("127.0.0.2 is at 127.0.0.2, which is not a public address")
    );
    assert!(
        get("/large")
            .unwrap_err()
            .ends_with("larger than 33554432 bytes")
    );
    assert!(get("/missing").unwrap_err().contains("404"));
}
