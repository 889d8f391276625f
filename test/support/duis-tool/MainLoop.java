import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.security.Permission;

/**
 * Runs the main methods of whatever programs are on the class path, call after call in one JVM: to
 * start one takes longer than what such a program then does. It knows none of them.
 *
 * A call, on standard input: a count, so many words (the class, then its arguments), the length of
 * the program's standard input, and that. An answer, on standard output: the exit code, then
 * standard output and standard error, each after its length. Numbers are 32-bit big-endian, words as
 * DataInput has them.
 */
public final class MainLoop {
  /** Under main's catch clauses: those are for exceptions. */
  private static final class Exit extends Error {
    final int code;

    Exit(int code) {
      super(null, null, false, false);
      this.code = code;
    }
  }

  private static final class ExitGuard extends SecurityManager {
    @Override
    public void checkExit(int code) {
      throw new Exit(code);
    }

    @Override
    public void checkPermission(Permission permission) {}
  }

  public static void main(String[] args) throws IOException {
    DataInputStream calls = new DataInputStream(new BufferedInputStream(System.in));
    DataOutputStream answers = new DataOutputStream(new BufferedOutputStream(System.out));
    System.setSecurityManager(new ExitGuard());
    while (true) {
      String[] words;
      try {
        words = new String[calls.readInt()];
      } catch (EOFException end) {
        return;
      }
      for (int at = 0; at < words.length; at++) words[at] = calls.readUTF();
      InputStream input = new ByteArrayInputStream(calls.readNBytes(calls.readInt()));
      ByteArrayOutputStream output = new ByteArrayOutputStream();
      ByteArrayOutputStream messages = new ByteArrayOutputStream();
      int code = run(words, input, output, messages);
      answers.writeInt(code);
      for (ByteArrayOutputStream text : new ByteArrayOutputStream[] {output, messages}) {
        answers.writeInt(text.size());
        text.writeTo(answers);
      }
      answers.flush();
    }
  }

  private static int run(
      String[] words,
      InputStream input,
      ByteArrayOutputStream output,
      ByteArrayOutputStream messages) {
    String[] args = new String[words.length - 1];
    System.arraycopy(words, 1, args, 0, args.length);
    PrintStream out = new PrintStream(output);
    PrintStream err = new PrintStream(messages);
    System.setIn(input);
    System.setOut(out);
    System.setErr(err);
    try {
      Class.forName(words[0]).getMethod("main", String[].class).invoke(null, (Object) args);
      return 0;
    } catch (InvocationTargetException failure) {
      if (failure.getCause() instanceof Exit) return ((Exit) failure.getCause()).code;
      // As the JVM does it.
      failure.getCause().printStackTrace(err);
      return 1;
    } catch (ReflectiveOperationException failure) {
      failure.printStackTrace(err);
      return 1;
    } finally {
      out.flush();
      err.flush();
    }
  }
}
