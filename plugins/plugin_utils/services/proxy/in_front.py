# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a team pastes into the proxy that has 443, so that it hands on to ours. Pure.

All of them keep the name that was asked for, by which ours finds the page, and let a web socket through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.proxy.config import host_names

FOLDER = "behind"  # of its files, below the configuration of our proxy


def blocks(context: Context) -> dict[str, str]:
    """{file: what to paste}, a file for each proxy."""
    hosts, port = list(host_names(context)), context.services["proxy"].port
    own, contained = f"127.0.0.1:{port}", f"{context.plan.bridge or '127.0.0.1'}:{port}"
    return {file: make(hosts, contained if make is _traefik else own) for file, make in _PROXIES.items()}


def _nginx(hosts: Sequence[str], ours: str) -> str:
    # https://nginx.org/en/docs/http/websocket.html
    return f"""\
# /etc/nginx/conf.d/crowsnest.conf; then: sudo nginx -t && sudo systemctl reload nginx
map $http_upgrade $watch_connection {{
    default upgrade;
    ''      close;
}}
server {{
    listen 443 ssl;
    listen [::]:443 ssl;
    server_name {" ".join(hosts)};
    ssl_certificate     /etc/letsencrypt/live/{hosts[0]}/fullchain.pem;  # yours
    ssl_certificate_key /etc/letsencrypt/live/{hosts[0]}/privkey.pem;
    location / {{
        proxy_pass http://{ours};
        proxy_http_version 1.1;
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto https;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $watch_connection;
        proxy_read_timeout 1h;
    }}
}}
"""


def _caddy(hosts: Sequence[str], ours: str) -> str:
    # https://caddyserver.com/docs/caddyfile/directives/reverse_proxy
    return f"""\
# Into /etc/caddy/Caddyfile; then: sudo systemctl reload caddy
{", ".join(hosts)} {{
    reverse_proxy {ours}
}}
"""


def _traefik(hosts: Sequence[str], ours: str) -> str:
    # https://doc.traefik.io/traefik/providers/file/
    rule = " || ".join(f"Host(`{host}`)" for host in hosts)
    return f"""\
# A file in the folder of Traefik's file provider, such as Coolify's /data/coolify/proxy/dynamic/crowsnest.yaml
http:
  routers:
    crowsnest:
      rule: "{rule}"
      entryPoints: [https]  # yours
      service: crowsnest
      tls: {{certResolver: letsencrypt}}  # yours
  services:
    crowsnest:
      loadBalancer:
        servers: [{{url: "http://{ours}"}}]
"""


def _apache(hosts: Sequence[str], ours: str) -> str:
    # https://httpd.apache.org/docs/2.4/mod/mod_proxy.html#proxypass: `upgrade` from 2.4.47 on
    return f"""\
# /etc/apache2/sites-available/crowsnest.conf; then:
# sudo a2enmod ssl proxy proxy_http headers && sudo a2ensite crowsnest && sudo systemctl reload apache2
<VirtualHost *:443>
    ServerName {hosts[0]}
    ServerAlias {" ".join(hosts[1:])}
    SSLEngine on
    SSLCertificateFile /etc/letsencrypt/live/{hosts[0]}/fullchain.pem
    SSLCertificateKeyFile /etc/letsencrypt/live/{hosts[0]}/privkey.pem
    ProxyPreserveHost On
    RequestHeader set X-Forwarded-Proto https
    ProxyPass / http://{ours}/ upgrade=websocket timeout=3600
    ProxyPassReverse / http://{ours}/
</VirtualHost>
"""


_PROXIES: dict[str, Callable[[Sequence[str], str], str]] = {
    "nginx.conf": _nginx,
    "Caddyfile": _caddy,
    "traefik.yaml": _traefik,
    "apache.conf": _apache,
}
