#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Follows a feed with curl, resumes where it was cut off, and prints each row as `ID DATA` until it has a certain one.
#
# follow_curl.sh URL LAST_ID

set -uo pipefail
url=$1 last=$2 id=''
command -v curl >/dev/null || {
    echo "no curl found; on Debian: apt-get install curl" >&2
    exit 1
}

while [[ $id != "$last" ]]; do
    data='' seen='' event=''
    while IFS= read -r line; do
        case $line in
            'id: '*) seen=${line#id: } ;;
            'data: '*) data=${line#data: } ;;
            'event: '*) event=${line#event: } ;;
            '')
                # Only a whole event counts.
                [[ -z $seen ]] || id=$seen
                [[ -z $data || -n $event ]] || echo "$id $data"
                data='' seen='' event=''
                [[ $id != "$last" ]] || break
                ;;
        esac
    done < <(exec curl --silent --no-buffer --noproxy '*' ${id:+--header "Last-Event-ID: $id"} "$url")
    curl=$!
    kill "$curl" 2>/dev/null
    wait "$curl" 2>/dev/null
    sleep 0.1
done
