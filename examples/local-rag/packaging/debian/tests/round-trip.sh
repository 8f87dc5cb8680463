# Sourced: prove that the service at a URL is healthy and keeps a document.

# Silent until it answers: autopkgtest takes any word on standard error as failure.
wait_for() {
    curl --silent --fail --retry 30 --retry-delay 1 --retry-connrefused "$1/health"
}

round_trip() {
    url=$1
    wait_for "$url" | jq --exit-status '.status == "ok"'

    curl --silent --show-error --fail --header 'Content-Type: application/json' \
        --data '{"id": "autopkgtest", "text": "A zebra crosses the road."}' "$url/documents"
    test "$(found)" = autopkgtest

    curl --silent --show-error --fail --request DELETE "$url/documents/autopkgtest"
    test "$(found)" = ""
}

found() {
    curl --silent --show-error --fail "$url/passages?q=zebras" | jq --raw-output '.passages[].document'
}
