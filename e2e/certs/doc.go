// Package certs holds the tests of quartermaster-certs and of the server's certificate on a real API server.
//
// They answer one question: does a review ever fail because of a certificate? Both programs run as child processes with
// the arguments and the rights that the chart gives them. What a node would do, bringing the Secret to the server's
// files, the tests do as the kubelet does; on a real node it is proven by e2e/installed.
package certs
