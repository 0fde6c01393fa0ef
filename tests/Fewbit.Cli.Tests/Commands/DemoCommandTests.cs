using System.Text.Json;

namespace Fewbit.Cli.Tests.Commands;

public class DemoCommandTests
{
    [Fact]
    public void Run_Json_Int8HoldsAndTwoBitsFall()
    {
        using JsonDocument json = JsonDocument.Parse(RunResult.Of("demo", "--json").Output);
        Dictionary<string, JsonElement> rows = json.RootElement.GetProperty("rows").EnumerateArray().ToDictionary(row => row.GetProperty("name").GetString()!);
        double Top1(string name) => rows[name].GetProperty("top1").GetDouble();
        Assert.Equal(2000, json.RootElement.GetProperty("pictures").GetInt32());
        Assert.InRange(Top1("float"), 0.85, 0.97);
        Assert.InRange(Top1("int8"), Top1("float") - 0.005, 1);
        Assert.InRange(Top1("int4"), Top1("float") - 0.05, Top1("float"));
        Assert.InRange(Top1("int2"), 0, Top1("float") - 0.2);
        Assert.True(rows["int4"].GetProperty("packedBytes").GetInt64() < rows["int4"].GetProperty("fileBytes").GetInt64());
        Assert.Equal(rows["int8"].GetProperty("fileBytes").GetInt64(), rows["int8"].GetProperty("packedBytes").GetInt64());
    }

    [Fact]
    public void Run_Text_SaysWhatThe4And2BitRowsAreAndWhatToDoNext()
    {
        RunResult run = RunResult.Of("demo");
        Assert.Equal(0, run.Code);
        Assert.Contains("The int4 and int2 rows hold their codes in int8", run.Output, StringComparison.Ordinal);
        Assert.EndsWith("On your own model:\n  fewbit quantize model.onnx --calibration pictures/\n  fewbit evaluate model.int8.onnx --data pictures-to-judge/\n  fewbit benchmark model.int8.onnx\n", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_KeepNamesAFile_SaysSo()
    {
        using var work = new Workspace();
        File.WriteAllText(work["taken"], "");
        RunResult run = RunResult.Of("demo", "--keep", work["taken"]);
        Assert.Equal($"{work["taken"]}: is a file, expected a folder to keep models and pictures in", run.ErrorLine());
        Assert.Equal(1, run.Code);
    }
}
