namespace Fewbit.Cli.Tests;

public class CommandLineTests
{
    [Theory]
    [InlineData("'fewbit' has no command 'inspct'; did you mean 'inspect'? 'fewbit --help' lists what there is", "inspct")]
    [InlineData("'fewbit inspect' has no option '--layrs'; did you mean '--layers'? 'fewbit inspect --help' lists what there is", "inspect", "m.onnx", "--layrs")]
    [InlineData("'fewbit inspect' has no option '--layrs'; did you mean '--layers'? 'fewbit inspect --help' lists what there is", "inspect", "--layrs")]
    [InlineData("'fewbit inspect' has no argument 'b'; 'fewbit inspect --help' lists what there is", "inspect", "a", "b")]
    [InlineData("Required argument 'model' missing for command: 'inspect'; 'fewbit inspect --help' explains the options", "inspect")]
    [InlineData("--threads is '0', expected 1 to 1024; 'fewbit doctor --help' explains the options", "doctor", "--threads", "0")]
    [InlineData("--threads is 'many', expected 1 to 1024; 'fewbit doctor --help' explains the options", "doctor", "--threads", "many")]
    public void Run_WrongUsage_SaysItInOneLineAndReturns2(string expected, params string[] arguments)
    {
        RunResult run = RunResult.Of(arguments);
        Assert.Equal(expected, run.ErrorLine());
        Assert.Equal(2, run.Code);
    }

    [Fact]
    public void Run_NoCommand_NamesTheCommandsAndReturns2()
    {
        RunResult run = RunResult.Of();
        Assert.StartsWith("no command is given, expected one of new, inspect, ", run.ErrorLine(), StringComparison.Ordinal);
        Assert.Equal(2, run.Code);
    }

    [Fact]
    public void Run_Version_IsOneNumber() => Assert.Matches(@"^\d+\.\d+\.\d+\n$", RunResult.Of("--version").Output);

    [Theory]
    [InlineData("new")]
    [InlineData("inspect")]
    [InlineData("quantize")]
    [InlineData("evaluate")]
    [InlineData("compare")]
    [InlineData("benchmark")]
    [InlineData("demo")]
    [InlineData("doctor")]
    public void Run_Help_ShowsExamplesOfTheCommand(string command)
    {
        RunResult run = RunResult.Of(command, "--help");
        Assert.Equal(0, run.Code);
        Assert.Contains($"Examples:\n  fewbit {command}", run.Output, StringComparison.Ordinal);
    }
}
