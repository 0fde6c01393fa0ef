using System.CommandLine;
using Fewbit.Cli.Console;
using Fewbit.Cli.Demo;

namespace Fewbit.Cli.Commands;

/// <summary>fewbit demo.</summary>
internal static class DemoCommand
{
    public static Command Create(CommonOptions common, CommandOutput output, CancellationToken cancellation)
    {
        var keep = new Option<string?>("--keep") { Description = "Also save the models and pictures in a folder, to play with.", HelpName = "DIR" };
        var training = new Option<int>("--training-pictures") { Description = "With --keep: also save so many pictures to train on, the same that the demonstration's network has learned from.", HelpName = "N" };
        training.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && (!int.TryParse(token.Value, out int count) || count is < 0 or > 1_000_000)) result.AddError($"--training-pictures is '{token.Value}', expected 0 to 1000000");
        });
        var command = new Command("demo", "Shows the whole story on an embedded model and generated pictures: float, int8, int4 and 2 bits side by side.") { keep, training };
        command.SetAction(parsed => Run(common.Read(parsed), parsed.GetValue(keep), parsed.GetValue(training), output, cancellation));
        HelpWithExamples.SetExamples(command, "fewbit demo", "fewbit demo --keep demo/", "fewbit demo --keep demo/ --training-pictures 12000");
        return command;
    }

    public static int Run(CommonSettings common, string? keep, int trainingPictures, CommandOutput output, CancellationToken cancellation = default)
    {
        if (trainingPictures > 0 && keep is null) throw new UsageException("--training-pictures needs a folder to save them in: give --keep");
        DemoReport report = new DemoJob(keep, trainingPictures, output, cancellation).Run();
        if (common.Json) output.Json(report);
        else Write(report, output);
        return CommandLine.Success;
    }

    private static void Write(DemoReport report, CommandOutput output)
    {
        output.Line($"A small convolutional network that names 12 kinds of shape, judged on {Words.Whole(report.Pictures)} pictures it has never seen;");
        output.Line($"quantized to the nearest code after a look at {report.CalibrationPictures} other pictures, activations in uint8.");
        output.Line();
        double floatSeconds = report.Rows[0].SecondsPerPicture;
        output.Table(["weights", ">top-1", "95 % interval", ">file", ">packed", ">time a picture", "against float"], report.Rows.Select(row => (string[])
        [
            row.Name, Words.Percent(row.Top1), $"{Words.Percent(row.Top1Low)} to {Words.Percent(row.Top1High)}", Words.Bytes(row.FileBytes), Words.Bytes(row.PackedBytes),
            Words.Time(TimeSpan.FromSeconds(row.SecondsPerPicture)), row.AgainstFloat?.Change() ?? "",
        ]));
        output.Line();
        output.Line("The int4 and int2 rows hold their codes in int8, so that every ONNX runtime can run them fast: they are no faster than int8. Their packed size is computed.");
        DemoRow int8 = report.Rows[1];
        if (int8.SecondsPerPicture > floatSeconds / 1.05) output.Line("int8 brings no speed to a network as small as this one: a run is mostly the fixed cost of its nodes.");
        output.Line("Two bits are too few for this network when each weight is rounded to its nearest code.");
        if (report.Kept is { } folder) WriteKept(folder, output);
        output.Line();
        output.Line("On your own model:");
        output.Line("  fewbit quantize model.onnx --calibration pictures/");
        output.Line("  fewbit evaluate model.int8.onnx --data pictures-to-judge/");
        output.Line("  fewbit benchmark model.int8.onnx");
    }

    private static void WriteKept(string folder, CommandOutput output)
    {
        string In(string name) => Path.Combine(folder, name);
        output.Line();
        output.Line($"Models and pictures are in {folder}. To play with them:");
        output.Line($"  fewbit quantize {In("demo.onnx")} -c {In("calibration.bin")} -d {In("unseen.bin")} --labels {In("classes.txt")} --overwrite");
        output.Line($"  fewbit compare {In("demo.onnx")} {In("demo.int2.onnx")} -d {In("unseen.bin")} --labels {In("classes.txt")}");
    }
}
