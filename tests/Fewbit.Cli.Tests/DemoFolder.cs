using Fewbit.Cli.Demo;

namespace Fewbit.Cli.Tests;

/// <summary>The demonstration's model and pictures as files, made once for all tests of a class.</summary>
public sealed class DemoFolder : IDisposable
{
    private readonly Workspace _work = new();

    public DemoFolder()
    {
        _work.DemoModel();
        new DemoData(3, 240, "for calibration").Save(Calibration);
        new DemoData(2, 240, "for judging").Save(Unseen);
        File.WriteAllLines(Classes, DemoPictures.Classes);
        File.WriteAllText(WrongPreprocessing, """{ "divideBy": 127.5, "mean": 100 }""");
    }

    public string Model => _work["demo.onnx"];
    public string Calibration => _work["calibration.bin"];
    public string Unseen => _work["unseen.bin"];
    public string Classes => _work["classes.txt"];

    /// <summary>Settings under which every picture looks the same to the model.</summary>
    public string WrongPreprocessing => _work["wrong.json"];

    /// <summary>The path of a file in the folder.</summary>
    public string this[string name] => _work[name];

    public void Dispose() => _work.Dispose();
}
