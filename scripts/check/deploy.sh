#!/usr/bin/env bash
# Checks what `deploy/` has: installs the Debian package into a folder and starts its server from there; checks the
# Dockerfile, the alert rules, the unit and the chart with the tools that this machine has, and names the others.
set -euo pipefail
cd "$(dirname "$0")/../.."
debian=$1 lint=$2
folder=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
skipped=()

package=$(ls -t "$debian"/vitrine-server_*.deb | head -1)
echo "package: $(basename "$package")"
dpkg-deb --info "$package" | grep -E '^ (Package|Version|Depends|Section):'
dpkg-deb --extract "$package" "$folder/root"
for file in usr/bin/vitrine-server usr/bin/vitrine-indexer etc/vitrine/server.toml lib/systemd/system/vitrine-server.service; do
  [[ -e $folder/root/$file || -e $folder/root/usr/$file ]] || { echo "expected $file in the package" >&2; exit 1; }
done
dpkg-deb --ctrl-tarfile "$package" | tar -xO ./postinst | grep 'adduser --system' >/dev/null || { echo "expected a user in postinst" >&2; exit 1; }
"$folder/root/usr/bin/vitrine-server" --version | grep commit >/dev/null || { echo "expected a commit in --version" >&2; exit 1; }

# The configuration of the package, with folders that this user can write.
sed "s|/var/|$folder/var/|; s|^listen.*|listen = \"127.0.0.1:0\"|" "$folder/root/etc/vitrine/server.toml" > "$folder/server.toml"
mkdir -p "$folder/var/lib/vitrine" "$folder/var/log/vitrine"
"$folder/root/usr/bin/vitrine-server" serve --config "$folder/server.toml" --address-file "$folder/address" 2>"$folder/log" &
server=$!
for _ in $(seq 100); do [[ -s $folder/address ]] && break; sleep 0.1; done
curl -fsS "http://$(cat "$folder/address")/readyz"; echo
kill "$server"; wait "$server"; server=

"$lint/bin/hadolint" --ignore DL3008 --ignore DL3066 deploy/docker/Dockerfile && echo "Dockerfile: ok"
if command -v promtool >/dev/null; then promtool check rules deploy/monitoring/alerts.yaml; else skipped+=("promtool (Debian package prometheus): alert rules"); fi
if command -v systemd-analyze >/dev/null; then systemd-analyze verify deploy/debian/vitrine-server.service; else skipped+=("systemd-analyze: the unit"); fi
if command -v helm >/dev/null; then
  helm lint deploy/helm/vitrine
  helm template shop deploy/helm/vitrine --set backup.enabled=true --set backup.target=s3://b/p >/dev/null
else
  skipped+=("helm: the chart")
fi
if command -v docker >/dev/null; then docker build -q -f deploy/docker/Dockerfile .; else skipped+=("docker: the image"); fi
for tool in "${skipped[@]}"; do echo "not checked, for lack of $tool"; done
