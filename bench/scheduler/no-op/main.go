// A scheduler extender that decides nothing: filter accepts every node, prioritize scores them all 0. What Paceline's
// extender is compared with: as little as the protocol allows, with the standard library alone.
//
// Arguments: address, certificate, key, CA of client certificates (PEM files), the same terms as Paceline's.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log"
	"net/http"
	"os"
)

// args is the part of ExtenderArgs that an extender which decides nothing has to read.
type args struct {
	NodeNames []string
}

type filterResult struct {
	NodeNames []string
}

type hostPriority struct {
	Host  string
	Score int64
}

func read(request *http.Request) []string {
	var asked args
	if err := json.NewDecoder(request.Body).Decode(&asked); err != nil {
		log.Fatal(err) // a bench with a broken extender measures nothing
	}
	return asked.NodeNames
}

func write(response http.ResponseWriter, answer any) {
	response.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(response).Encode(answer); err != nil {
		log.Print(err)
	}
}

func filter(response http.ResponseWriter, request *http.Request) {
	write(response, filterResult{NodeNames: read(request)})
}

func prioritize(response http.ResponseWriter, request *http.Request) {
	names := read(request)
	scores := make([]hostPriority, len(names))
	for i, name := range names {
		scores[i].Host = name
	}
	write(response, scores)
}

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: no-op-extender ADDRESS CERT KEY CLIENT_CA")
	}
	ca, err := os.ReadFile(os.Args[4])
	if err != nil {
		log.Fatal(err)
	}
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(ca) {
		log.Fatalf("%s holds no certificate", os.Args[4])
	}
	http.HandleFunc("POST /scheduler/filter", filter)
	http.HandleFunc("POST /scheduler/prioritize", prioritize)
	http.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	server := http.Server{
		Addr: os.Args[1],
		// HTTP/1.1 on both sides, as with Paceline; and the probe of /healthz shows no certificate.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		TLSConfig:    &tls.Config{ClientCAs: clients, ClientAuth: tls.VerifyClientCertIfGiven},
	}
	log.Fatal(server.ListenAndServeTLS(os.Args[2], os.Args[3]))
}
