using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace Fewbit.Benchmarks.Training;

/// <summary>PyTorch's training step of the same network in a process of its own, which waits asleep while it is not its turn.</summary>
internal sealed class PyTorchStep : IDisposable
{
    private readonly Process _process;

    /// <exception cref="InvalidOperationException">Python or PyTorch is missing, or the script failed.</exception>
    public PyTorchStep(string network, int threads)
    {
        string python = Environment.GetEnvironmentVariable("FEWBIT_PYTHON") is { Length: > 0 } named ? named : "/usr/bin/python3";
        string script = Path.GetFullPath(Path.Combine(Folder(), "../../pytorch/training_step.py"));
        string count = threads.ToString(CultureInfo.InvariantCulture);
        var start = new ProcessStartInfo(python, [script, network, count]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        // PyTorch's own setting does not reach OpenBLAS, which would take every core.
        foreach (string variable in (string[])["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"]) start.Environment[variable] = count;
        _process = Process.Start(start)!;
        Version = ReadLine();
    }

    /// <summary>PyTorch's version.</summary>
    public string Version { get; }

    /// <summary>Milliseconds of a step, after one that is not counted.</summary>
    public double Milliseconds(double seconds)
    {
        _process.StandardInput.WriteLine(seconds.ToString(CultureInfo.InvariantCulture));
        _process.StandardInput.Flush();
        return double.Parse(ReadLine(), CultureInfo.InvariantCulture);
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }

    private string ReadLine() => _process.StandardOutput.ReadLine()
        ?? throw new InvalidOperationException("the PyTorch script ended: see its message above (Debian: apt-get install python3-torch python3-torchvision; another Python: FEWBIT_PYTHON)");

    private static string Folder([CallerFilePath] string file = "") => Path.GetDirectoryName(file)!;
}
