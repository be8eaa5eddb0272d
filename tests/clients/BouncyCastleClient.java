// BouncyCastle: its own request, CMS and PKIX code.

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.math.BigInteger;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.security.Security;
import java.security.cert.CertPath;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.tsp.TSPAlgorithms;
import org.bouncycastle.tsp.TimeStampRequest;
import org.bouncycastle.tsp.TimeStampRequestGenerator;
import org.bouncycastle.tsp.TimeStampResponse;
import org.bouncycastle.tsp.TimeStampToken;
import org.bouncycastle.util.Store;

public class BouncyCastleClient {
    private interface Check {
        void run() throws Exception;
    }

    // One line for each case on the command line, which are the cases of the JSON file in rows of
    // tab-separated values: suite, url, root, other root. JSON is not in Java's own library.
    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        byte[] data = Files.readAllBytes(Path.of(arguments[0]));
        byte[] otherData = Files.readAllBytes(Path.of(arguments[1]));
        for (String row : Files.readAllLines(Path.of(arguments[2]))) {
            String[] told = row.split("\t");
            System.out.println(client(told[0], told[1], told[2], told[3], data, otherData));
        }
    }

    private static String client(
            String suite, String url, String root, String otherRoot, byte[] data, byte[] otherData) {
        try {
            BigInteger nonce = new BigInteger(160, new SecureRandom());
            TimeStampRequest request = request(data, nonce);
            byte[] reply = post(url, request.getEncoded());
            TimeStampResponse response = new TimeStampResponse(reply);
            verify(response, request, root);
            // With the same nonce, so that it is the text that tells them apart.
            TimeStampRequest other = request(otherData, request.getNonce());
            TimeStampResponse otherResponse =
                    new TimeStampResponse(post(url, other.getEncoded()));
            verify(otherResponse, other, root);
            byte[] otherTime = otherTime(reply);
            byte[] otherSignature = reply.clone();
            otherSignature[reply.length - 1] ^= 1;
            return String.format(
                    "{\"suite\":\"%s\",\"accepts\":true,\"why\":\"\",\"gen_time\":\"%s\","
                            + "\"refuses\":{\"other_data\":%b,\"other_request\":%b,\"other_root\":%b,"
                            + "\"other_time\":%b,\"other_signature\":%b}}",
                    suite,
                    response.getTimeStampToken().getTimeStampInfo().getGenTime().toInstant(),
                    refuses(() -> verify(response, other, root)),
                    refuses(() -> verify(otherResponse, request, root)),
                    refuses(() -> verify(response, request, otherRoot)),
                    refuses(() -> verify(new TimeStampResponse(otherTime), request, root)),
                    refuses(() -> verify(new TimeStampResponse(otherSignature), request, root)));
        } catch (Exception error) {
            String why = error.toString().replaceAll("[^ -~]|[\"\\\\]", " ");
            return String.format("{\"suite\":\"%s\",\"accepts\":false,\"why\":\"%s\"}", suite, why);
        }
    }

    // The response with another digit in its genTime, which is its first GeneralizedTime.
    private static byte[] otherTime(byte[] reply) {
        String text = new String(reply, StandardCharsets.ISO_8859_1);
        Matcher time = Pattern.compile("\\x18.20\\d{12}", Pattern.DOTALL).matcher(text);
        if (!time.find()) {
            throw new IllegalStateException("no time");
        }
        byte[] changed = reply.clone();
        changed[time.end() - 1] ^= 1;
        return changed;
    }

    private static TimeStampRequest request(byte[] data, BigInteger nonce) throws Exception {
        TimeStampRequestGenerator generator = new TimeStampRequestGenerator();
        generator.setCertReq(true);
        return generator.generate(TSPAlgorithms.SHA256, digest(data), nonce);
    }

    @SuppressWarnings("unchecked")
    private static void verify(TimeStampResponse response, TimeStampRequest request, String root)
            throws Exception {
        response.validate(request);
        TimeStampToken token = response.getTimeStampToken();
        Store<X509CertificateHolder> carried = token.getCertificates();
        X509CertificateHolder signer =
                (X509CertificateHolder) carried.getMatches(token.getSID()).iterator().next();
        token.validate(new JcaSimpleSignerInfoVerifierBuilder().setProvider("BC").build(signer));

        CertificateFactory factory = CertificateFactory.getInstance("X.509", "BC");
        List<X509Certificate> path = new ArrayList<>();
        path.add(certificate(factory, signer.getEncoded()));
        for (Object issuing : carried.getMatches(null)) {
            if (!issuing.equals(signer)) {
                path.add(certificate(factory, ((X509CertificateHolder) issuing).getEncoded()));
            }
        }
        CertPath certPath = factory.generateCertPath(path);
        X509Certificate trusted = certificate(factory, Files.readAllBytes(Path.of(root)));
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(trusted, null)));
        parameters.setRevocationEnabled(false);
        CertPathValidator.getInstance("PKIX", "BC").validate(certPath, parameters);
    }

    private static X509Certificate certificate(CertificateFactory factory, byte[] bytes)
            throws Exception {
        return (X509Certificate) factory.generateCertificate(new ByteArrayInputStream(bytes));
    }

    private static byte[] digest(byte[] data) throws Exception {
        return MessageDigest.getInstance("SHA-256").digest(data);
    }

    private static byte[] post(String url, byte[] query) throws Exception {
        HttpURLConnection connection = (HttpURLConnection) new URL(url).openConnection();
        connection.setDoOutput(true);
        connection.setRequestProperty("Content-Type", "application/timestamp-query");
        connection.getOutputStream().write(query);
        try (InputStream answer = connection.getInputStream()) {
            return answer.readAllBytes();
        }
    }

    private static boolean refuses(Check check) {
        try {
            check.run();
            return false;
        } catch (Exception refused) {
            return true;
        }
    }
}
