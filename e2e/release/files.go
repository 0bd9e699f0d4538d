package release

import (
	"os"
	"path/filepath"
	"time"

	"quartermaster.dev/e2e/internal/pki"
)

// serverFiles are what a pod would have mounted.
type serverFiles struct {
	kubeconfig string // written later, with the account's token
	certDir    string // tls.crt and tls.key
	caBundle   []byte
}

// newServerFiles makes a certificate authority of its own and a serving certificate for the loopback address.
func newServerFiles(dir string) (*serverFiles, error) {
	files := &serverFiles{kubeconfig: filepath.Join(dir, "kubeconfig"), certDir: filepath.Join(dir, "tls")}
	if err := os.Mkdir(files.certDir, 0o700); err != nil {
		return nil, err
	}
	pair, err := pki.New(24*time.Hour, "127.0.0.1")
	if err != nil {
		return nil, err
	}
	files.caBundle = pair.Authority
	return files, pair.Write(files.certDir)
}
