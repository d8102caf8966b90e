# Two images from one file: `--target bot` runs one WhatsApp session, `--target simulator` is the stand-in for WhatsApp Web.
# Builds with the classic builder and with BuildKit. The base is made by setup/base_image.py (pulled, or built from the
# distribution's mirror), so that a host without an image registry can build too.
ARG BASE=oturum-base:bookworm

# --- Python, and nothing else -----------------------------------------------------------------------------------
FROM ${BASE} AS python
ENV DEBIAN_FRONTEND=noninteractive
# The distribution's own way to leave files out: the package database stays true and later installs follow it too.
RUN printf 'path-exclude=%s\n' \
        '/usr/share/doc/*' '/usr/share/man/*' '/usr/share/info/*' '/usr/share/locale/*' '/usr/share/lintian/*' \
        '/usr/lib/chromium/libVk*' '/usr/lib/chromium/libvk_*' '/usr/lib/chromium/vk_*' \
        > /etc/dpkg/dpkg.cfg.d/oturum \
    && echo 'path-include=/usr/share/doc/*/copyright' >> /etc/dpkg/dpkg.cfg.d/oturum \
    && apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libatomic1 python3-minimal python3 tzdata \
    && apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/*.log /var/log/apt
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1

# --- Tools that only the build needs ----------------------------------------------------------------------------
FROM python AS tools
RUN apt-get update \
    && apt-get install -y --no-install-recommends binutils python3-venv \
    && apt-get clean && rm -rf /var/lib/apt/lists/*
# Build arguments are declared in stages that are thrown away: an index's address never reaches an image's history.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore

FROM tools AS bot-dependencies
COPY requirements/bot.txt /tmp/requirements.txt
# `--without-pip`: the environment is filled from outside and carries no installer. Of Playwright the driver is
# needed, its browsers are not; its node is stripped of symbols nobody will read.
RUN python3 -m venv --without-pip /opt/venv \
    && python3 -m venv /tmp/pip \
    && /tmp/pip/bin/pip --python /opt/venv/bin/python install --require-hashes --no-compile -r /tmp/requirements.txt \
    && strip --strip-unneeded /opt/venv/lib/python3*/site-packages/playwright/driver/node \
    && find /opt/venv -name tests -type d -prune -exec rm -r {} + \
    && /opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib

FROM tools AS bot-code
COPY bot /app/bot
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /app

# --- The browser ------------------------------------------------------------------------------------------------
FROM python AS stand-ins
# chromium-common depends on x11-utils and xdg-utils, which a browser without a screen never calls and which bring Mesa,
# LLVM and Perl along. Empty packages of those names keep apt's books true without them.
RUN for name in x11-utils xdg-utils; do \
        mkdir -p /build/$name/DEBIAN \
        && printf '%s\n' "Package: $name" 'Version: 99-oturum' 'Architecture: all' 'Priority: optional' \
            'Section: misc' 'Maintainer: Oturum <oturum@localhost>' \
            'Description: empty stand-in: the headless browser needs none of it' > /build/$name/DEBIAN/control \
        && dpkg-deb --root-owner-group --build /build/$name /build/$name.deb || exit 1; \
    done

FROM python AS browser
COPY --from=stand-ins /build/*.deb /tmp/stand-ins/
RUN dpkg --install /tmp/stand-ins/*.deb \
    && apt-get update \
    && apt-get install -y --no-install-recommends chromium-headless-shell fonts-dejavu-core fonts-noto-color-emoji \
    && apt-get check && test -z "$(dpkg --audit)" \
    && apt-get clean \
    && rm -rf /tmp/stand-ins /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/*.log /var/log/apt

# --- The bot ----------------------------------------------------------------------------------------------------
FROM browser AS bot
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin bot \
    && install -d -o 10001 -g 10001 -m 0700 /session \
    && install -d -o 10001 -g 10001 /opt/node-cache
COPY --from=bot-dependencies /opt/venv /opt/venv
COPY --from=bot-code /app /app
# The driver's compiled code is kept from the build on (the cache counts only for this user and these options), and
# its heap grows in small steps: 0.1 s a start, 12 MiB a bot.
ENV HOME=/tmp NODE_COMPILE_CACHE=/opt/node-cache NODE_OPTIONS=--max-semi-space-size=1
LABEL io.oturum.image=bot
WORKDIR /app
USER 10001:10001
RUN ["python", "-c", "from playwright.sync_api import sync_playwright as start; start().start().stop()"]
CMD ["python", "-m", "bot"]

# --- The simulator (last: an older builder walks through every stage above its target) ---------------------------
FROM tools AS simulator-dependencies
COPY requirements/simulator.txt /tmp/requirements.txt
RUN python3 -m venv --without-pip /opt/venv \
    && python3 -m venv /tmp/pip \
    && /tmp/pip/bin/pip --python /opt/venv/bin/python install --require-hashes --no-compile -r /tmp/requirements.txt \
    && /opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib

FROM python AS simulator
RUN useradd --uid 10001 --user-group --create-home --shell /usr/sbin/nologin simulator
COPY --from=simulator-dependencies /opt/venv /opt/venv
COPY simulator /app/simulator
LABEL io.oturum.image=simulator
WORKDIR /app
USER 10001:10001
ENTRYPOINT ["python", "-m", "simulator"]
